//! A model of many processes on one store: random calls, delays, deaths, stops, lost replies and
//! clock steps. No window of D may ever hold more than R starts.

use std::time::Duration;

use proptest::prelude::*;

use crate::{
    model::{limit::Rate, time::Timestamp},
    policy::limit::{
        bucket::{Ask, Bucket, Place, Remaining, Take},
        reading::Reading,
        shared::SharedLimit,
    },
};

/// What happens next, and in which process.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Time passes.
    Pass(u64),
    /// Whoever can take a place starts a request, up to so many; who cannot, asks for so many.
    Use(usize, u32),
    /// Takes a place now, and uses it only at the next step of this process.
    Hold(usize),
    /// Asks, and the reply is lost.
    Lose(usize, u32),
    /// Reads the row; another process asks before it is stored.
    Race(usize, usize),
    /// Ends cleanly; another one begins in its place.
    Leave(usize),
    /// Dies; another one begins in its place.
    Die(usize),
    /// The store's clock steps back.
    Back(u64),
    /// A throttle.
    Close(usize, u64),
    /// An answer that names what is left.
    Learn(usize, u64, u64),
}

fn step(holders: usize) -> impl Strategy<Value = Step> {
    let who = 0..holders;
    prop_oneof![
        6 => (0_u64..400).prop_map(Step::Pass),
        2 => (0_u64..30).prop_map(Step::Pass),
        1 => (0_u64..9000).prop_map(Step::Pass),
        16 => (who.clone(), 1_u32..40).prop_map(|(who, want)| Step::Use(who, want)),
        3 => who.clone().prop_map(Step::Hold),
        1 => (who.clone(), 1_u32..9).prop_map(|(who, want)| Step::Lose(who, want)),
        2 => (who.clone(), who.clone()).prop_map(|(one, two)| Step::Race(one, two)),
        1 => who.clone().prop_map(Step::Leave),
        1 => who.clone().prop_map(Step::Die),
        1 => (0_u64..20_000).prop_map(Step::Back),
        1 => (who.clone(), 0_u64..3000).prop_map(|(who, span)| Step::Close(who, span)),
        1 => (who, 0_u64..30, 0_u64..5000).prop_map(|(who, left, span)| Step::Learn(who, left, span)),
    ]
}

/// A process.
struct Holder {
    name: String,
    bucket: Bucket,
    /// Its boot clock is so far ahead of the true time.
    ahead: Duration,
    held: Vec<Place>,
}

/// The store, and all processes on it.
struct World {
    rate: Rate,
    /// The true time.
    now: Duration,
    /// How far the store's clock is behind it.
    behind: u64,
    row: SharedLimit,
    holders: Vec<Holder>,
    names: u32,
    starts: Vec<Duration>,
    /// How many of them by each holder.
    by: [u32; 4],
    calls: u32,
}

impl World {
    fn new(rate: Rate, holders: usize) -> Self {
        let now = Duration::from_secs(1_700_000_000);
        let mut world = Self {
            rate,
            now,
            behind: 0,
            row: SharedLimit::default(),
            holders: Vec::new(),
            names: 0,
            starts: Vec::new(),
            by: [0; 4],
            calls: 0,
        };
        for _ in 0..holders {
            let holder = world.begin();
            world.holders.push(holder);
        }
        world
    }

    fn begin(&mut self) -> Holder {
        self.names += 1;
        Holder {
            name: format!("p{}", self.names),
            bucket: Bucket::new(Some(self.rate), None, false, Duration::ZERO),
            ahead: Duration::from_secs(u64::from(self.names) * 77),
            held: Vec::new(),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn time(&self) -> Timestamp {
        let ms = u64::try_from(self.now.as_millis()).unwrap() - self.behind;
        Timestamp(i64::try_from(ms).unwrap())
    }

    fn boot(&self, who: usize) -> Duration {
        self.now + self.holders[who].ahead
    }

    /// One call, which takes a few milliseconds before and after the store's turn.
    fn call(&mut self, who: usize, ask: Ask) {
        self.holders[who].bucket.begin();
        let before = self.boot(who);
        self.pass(1);
        let now = self.time();
        self.pass(2);
        let reading = Reading { now, before, after: self.boot(who) };
        self.calls += 1;
        let holder = &mut self.holders[who];
        let call = holder.bucket.call(&reading, &holder.name, ask);
        let reply = self.row.next(&call);
        // What is stored is text.
        self.row = SharedLimit::parse(Some(&self.row.to_text())).unwrap();
        holder.bucket.take_in(&call, &reply, &reading);
    }

    /// Starts up to `want` requests; asks for those that cannot. Whether all could.
    fn use_up(&mut self, who: usize, want: u32) -> bool {
        let now = self.boot(who);
        for place in std::mem::take(&mut self.holders[who].held) {
            self.start(who, place, now);
        }
        for round in 0..want {
            let mut take = self.take(who);
            if take == Take::Ask {
                self.call(who, Ask { waiting: want - round, leaving: false });
                take = self.take(who);
            }
            let Take::Taken(place) = take else { return false };
            let now = self.boot(who);
            self.start(who, place, now);
        }
        true
    }

    fn take(&mut self, who: usize) -> Take {
        let now = self.boot(who);
        self.holders[who].bucket.take(now)
    }

    fn start(&mut self, who: usize, place: Place, now: Duration) {
        if self.holders[who].bucket.start(place, now) {
            self.starts.push(self.now);
            self.by[who] += 1;
            self.holders[who].bucket.release();
        } else {
            self.holders[who].bucket.untake(place);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(ms) => self.pass(ms),
            Step::Use(who, want) => drop(self.use_up(who, want)),
            Step::Hold(who) => {
                let now = self.boot(who);
                if let Take::Taken(place) = self.holders[who].bucket.take(now) {
                    self.holders[who].held.push(place);
                }
            }
            Step::Lose(who, want) => {
                self.holders[who].bucket.begin();
                let before = self.boot(who);
                let reading = Reading { now: self.time(), before, after: before };
                let ask = Ask { waiting: want, leaving: false };
                let holder = &mut self.holders[who];
                let call = holder.bucket.call(&reading, &holder.name, ask);
                self.row.next(&call);
            }
            Step::Race(one, two) => {
                // Compare-and-set: what was made from the older row is thrown away.
                let mut older = self.row.clone();
                let before = self.boot(one);
                let reading = Reading { now: self.time(), before, after: before };
                self.holders[one].bucket.begin();
                let ask = Ask { waiting: 3, leaving: false };
                let holder = &mut self.holders[one];
                let call = holder.bucket.call(&reading, &holder.name, ask);
                older.next(&call);
                if one != two {
                    self.use_up(two, 5);
                }
                self.call(one, ask);
            }
            Step::Leave(who) => {
                self.call(who, Ask { waiting: 0, leaving: true });
                self.step(Step::Die(who));
            }
            Step::Die(who) => self.holders[who] = self.begin(),
            Step::Back(ms) => self.behind += ms,
            Step::Close(who, span) => {
                let until = self.boot(who) + Duration::from_millis(span);
                let _urgent = self.holders[who].bucket.close(until);
            }
            Step::Learn(who, count, span) => {
                let now = self.boot(who);
                let reset = (span > 500).then(|| now + Duration::from_millis(span));
                let _urgent = self.holders[who].bucket.learn(Remaining { count, reset }, now);
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let most = self.rate.count as usize;
        for pair in self.starts.windows(most + 1) {
            prop_assert!(
                pair[most] >= pair[0] + self.rate.window,
                "{} starts within {:?}",
                most + 1,
                pair[most].saturating_sub(pair[0])
            );
        }
        Ok(())
    }
}

fn rates() -> impl Strategy<Value = Rate> {
    let windows = prop_oneof![Just(1000), Just(1500), Just(2000), Just(10_000), Just(60_000)];
    (1_u32..60, windows).prop_map(|(count, ms)| Rate { count, window: Duration::from_millis(ms) })
}

proptest! {
    // 1,536, or as PROPTEST_CASES says.
    #![proptest_config(ProptestConfig::with_cases(6 * ProptestConfig::default().cases))]

    #[test]
    fn no_window_ever_holds_more_than_its_rate(
        rate in rates(),
        steps in prop::collection::vec(step(4), 1..160),
    ) {
        let mut world = World::new(rate, 4);
        for step in steps {
            world.step(step);
        }
        world.check()?;
    }
}

/// All that is allowed is used: by one of three processes that work now and then, and by three that
/// work all the time.
#[test]
fn nothing_is_wasted_when_all_is_calm() {
    for (count, ms) in [(50, 1000), (10, 1000), (1, 1000), (100, 60_000), (110, 10_000)] {
        for busy in [1, 3] {
            let rate = Rate { count, window: Duration::from_millis(ms) };
            let mut world = World::new(rate, 3);
            for who in 0..3 {
                world.use_up(who, 1);
            }
            let windows = 10;
            let (begin, most, mut round) = (world.now, count * windows, 0);
            while world.now < begin + rate.window * windows {
                for turn in 0..busy {
                    world.use_up((turn + round) % busy, most);
                }
                round += 1;
                world.pass(5);
            }
            world.check().unwrap();
            let share = f64::from(u32::try_from(world.starts.len()).unwrap()) / f64::from(most);
            assert!(share >= 0.9, "{count}/{ms} ms, {busy} busy: {share:.2} of the rate");
            if busy == 3 && count >= 10 {
                let least = world.by.into_iter().take(3).min().unwrap();
                assert!(least * 4 >= count * windows, "{count}/{ms} ms: {:?}", world.by);
            }
            let calls = world.calls;
            assert!(calls < 120, "{count}/{ms} ms, {busy} busy: {calls} calls in ten windows");
        }
    }
}

/// Times move back by what is certain, not by all that `last` lies ahead.
#[test]
fn a_clock_that_steps_back_stops_nothing_for_long_and_lets_nothing_through() {
    let rate = Rate { count: 5, window: Duration::from_secs(1) };
    let mut world = World::new(rate, 2);
    assert!(world.use_up(0, 5));
    world.behind += 3_600_000;
    assert!(!world.use_up(1, 1));
    let mut waited = 0;
    while !world.use_up(1, 1) {
        world.pass(10);
        waited += 10;
        assert!(waited < 4000, "the hour is not waited for");
    }
    world.check().unwrap();
}

/// However many hand-outs there were, the row stays short, and forgets nothing.
#[test]
fn a_row_that_is_full_counts_all_the_same() {
    let rate = Rate { count: 300, window: Duration::from_mins(10) };
    let mut world = World::new(rate, 3);
    for round in 0..900 {
        world.use_up(round % 3, 1);
        // Each reply comes too late to be settled by the next call.
        world.pass(1100);
        assert!(world.row.to_text().len() < 3000, "{}", world.row.to_text());
    }
    world.check().unwrap();
    // 990 seconds: a whole window, and most of another.
    assert!((500..=600).contains(&world.starts.len()), "{}", world.starts.len());
}

/// What a process was given and did not use is there for the next one at once, if it left; if it
/// died, after a window.
#[test]
fn who_leaves_gives_back_and_who_dies_does_not() {
    for (leaves, starts) in [(true, 10), (false, 0)] {
        let rate = Rate { count: 10, window: Duration::from_secs(10) };
        let mut world = World::new(rate, 2);
        // Ten cells are its own, and none is used.
        world.call(0, Ask { waiting: 10, leaving: false });
        world.step(if leaves { Step::Leave(0) } else { Step::Die(0) });
        world.calls = 0;
        world.use_up(1, 10);
        assert_eq!(world.starts.len(), starts, "leaves: {leaves}");
        // And it shares with nobody: one call gets all.
        assert_eq!(world.calls, 1, "leaves: {leaves}");
        world.pass(11_300);
        world.use_up(1, 10);
        assert_eq!(world.starts.len(), starts + 10, "leaves: {leaves}");
    }
}

/// One answer says little is left: hand-outs end there, for all.
#[test]
fn what_is_left_is_left_for_all() {
    let rate = Rate { count: 100, window: Duration::from_mins(1) };
    let mut world = World::new(rate, 3);
    assert!(world.use_up(0, 2));
    let now = world.boot(0);
    let reset = Some(now + Duration::from_secs(30));
    assert!(world.holders[0].bucket.learn(Remaining { count: 5, reset }, now));
    world.call(0, Ask { waiting: 0, leaving: false });
    for who in [1, 2, 0] {
        world.use_up(who, 40);
    }
    assert_eq!(world.starts.len(), 7);
    world.pass(30_000);
    // What was handed out and not used is left for others.
    let now = world.boot(0);
    let reset = Some(now + Duration::from_secs(30));
    assert!(world.holders[0].bucket.learn(Remaining { count: 5, reset }, now));
    world.call(0, Ask { waiting: 5, leaving: false });
    world.call(0, Ask { waiting: 5, leaving: false });
    world.step(Step::Leave(0));
    world.use_up(1, 40);
    assert_eq!(world.starts.len(), 12);
    world.pass(30_000);
    assert!(world.use_up(1, 20));
}

#[test]
fn a_damaged_row_counts_as_used_up() {
    assert!(SharedLimit::parse(Some("{\"last\":")).is_err());
    assert!(SharedLimit::parse(Some("")).is_err());
    let rate = Rate { count: 3, window: Duration::from_secs(1) };
    let mut world = World::new(rate, 1);
    world.row = SharedLimit::used_up(Some(rate), world.time());
    assert!(!world.use_up(0, 1));
    world.pass(1020);
    assert!(world.use_up(0, 3));
}
