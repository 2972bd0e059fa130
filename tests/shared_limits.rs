//! Three processes at a time on one store, at three rates, stopped and killed over and over, and
//! counted where their requests arrive. `cargo test --test shared_limits -- --nocapture` reports.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, clippy::indexing_slicing, reason = "it goes by the clock")]
#![expect(clippy::cast_precision_loss, reason = "tests may")]
#![expect(dead_code, reason = "support is shared")]

mod support;

use std::{
    process::Child,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use support::{
    limits::{Arrivals, project, signal, start},
    project::Project,
};

/// How long each part takes, and two windows more.
const SPAN: Duration = Duration::from_mins(1);
/// Requests arrive late by as much as the machine is busy, those behind them less.
const LATE: Duration = Duration::from_millis(300);
/// Requests of one process; another one follows it.
const TIMES: usize = 400;

#[derive(Clone, Copy)]
struct Limit {
    name: &'static str,
    rate: usize,
    window: Duration,
}

const LIMITS: [Limit; 3] = [
    Limit { name: "fast", rate: 50, window: Duration::from_secs(1) },
    Limit { name: "slow", rate: 10, window: Duration::from_secs(1) },
    Limit { name: "minute", rate: 100, window: Duration::from_mins(1) },
];

/// Processes that ask all the time.
struct Crowd<'a> {
    project: &'a Project,
    path: &'static str,
    children: Vec<Child>,
    seed: u64,
    killed: usize,
    stopped: usize,
    /// Before any of them.
    begin: Instant,
}

impl<'a> Crowd<'a> {
    fn new(project: &'a Project, path: &'static str, size: usize) -> Self {
        let begin = Instant::now();
        let children = (0..size).map(|_| start(project, path, TIMES)).collect();
        Self { project, path, children, seed: path.len() as u64, killed: 0, stopped: 0, begin }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    /// Whoever is done is followed by another.
    fn fill(&mut self) {
        for child in &mut self.children {
            if child.try_wait().unwrap().is_some() {
                *child = start(self.project, self.path, TIMES);
            }
        }
    }

    /// Stops one for up to a second and a half, or kills it.
    fn disturb(&mut self) {
        let which = usize::try_from(self.random(self.children.len() as u64)).unwrap();
        if self.random(4) == 0 {
            self.children[which].kill().unwrap();
            self.children[which].wait().unwrap();
            self.killed += 1;
        } else {
            signal(&self.children[which], "-STOP");
            let span = self.random(1400) + 100;
            wait(Duration::from_millis(span));
            signal(&self.children[which], "-CONT");
            self.stopped += 1;
        }
        self.fill();
        let span = self.random(1500);
        wait(Duration::from_millis(span));
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Lets time pass.
fn wait(span: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(span).is_err());
}

/// The most that arrived within any span.
fn most(at: &[Instant], span: Duration) -> usize {
    let within = |first: usize| at[first..].iter().take_while(move |one| **one < at[first] + span);
    (0..at.len()).map(|first| within(first).count()).max().unwrap_or(0)
}

/// What arrived: the share of the rate, and the line that reports it.
fn counted(arrivals: &Arrivals, crowd: &Crowd<'_>, limit: Limit) -> (f64, String) {
    let Limit { name, rate, window } = limit;
    let at = arrivals.at(name);
    // The share is that of whole windows after the first one: what the dead held is back by then.
    let begin = at[0] + window + Duration::from_secs(1);
    let span = at[at.len() - 1].saturating_duration_since(begin);
    let windows = (span.as_secs_f64() / window.as_secs_f64()).floor();
    let counted = begin..begin + window.mul_f64(windows);
    let share = at.iter().filter(|at| counted.contains(at)).count() as f64;
    let share = share / (rate as f64 * windows);
    assert_eq!(arrivals.too_early(name, crowd.begin, rate, window), None, "{name}");
    let strict = most(&at, window.saturating_sub(LATE));
    // One that was stopped between its look at the clock and its socket is late.
    let late = usize::from(crowd.stopped > 0);
    assert!(strict <= rate + late, "{strict} requests within {window:?} less {LATE:?}");
    let line = format!(
        "{rate} in {window:?}: {} requests in {:.1?}, {} stops, {} kills; at most {} arrived within {window:?}, {strict} within {LATE:?} less; {share:.2} of the rate",
        at.len(),
        at[at.len() - 1] - at[0],
        crowd.stopped,
        crowd.killed,
        most(&at, window),
    );
    (share, line)
}

fn play(limit: Limit, size: usize, disturbed: bool) -> (f64, String) {
    let arrivals = Arc::new(Arrivals::default());
    let peer = arrivals.peer();
    let first = Instant::now();
    let rate = format!("{}/{}s", limit.rate, limit.window.as_secs());
    let project = project(&peer, &[(limit.name, &rate)]);
    if size == 1 {
        // Two others are there as well, and die with what they hold.
        let two = Crowd::new(&project, limit.name, 2);
        arrivals.wait(limit.name, 4);
        drop(two);
    }
    let mut crowd = Crowd::new(&project, limit.name, size);
    crowd.begin = first;
    let begin = Instant::now();
    while begin.elapsed() < SPAN + limit.window * 2 {
        if disturbed {
            crowd.disturb();
        } else {
            wait(Duration::from_millis(200));
            crowd.fill();
        }
    }
    counted(&arrivals, &crowd, limit)
}

/// All limits at once.
fn play_all(size: usize, disturbed: bool) -> Vec<(f64, String)> {
    std::thread::scope(|scope| {
        let all = LIMITS.map(|limit| scope.spawn(move || play(limit, size, disturbed)));
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn a_rate_holds_through_kills_and_stops() {
    for (_, line) in play_all(3, true) {
        println!("three processes, {line}");
    }
}

#[test]
fn one_of_three_may_use_nearly_all_of_a_rate() {
    for (share, line) in play_all(1, false) {
        println!("one of three, {line}");
        assert!(share >= 0.8, "{line}");
    }
}
