//! Limits that several processes on one store keep together. The long form, with more kills and
//! stops and with the share of the rate that is used, is `tests/shared_limits.rs`.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use crate::support::{
    limits::{Arrivals, project, signal, start},
    project::{Printed, Project, printed},
};

const SECOND: Duration = Duration::from_secs(1);

fn run(project: &Project, path: &str, times: usize) -> Printed {
    printed(start(project, path, times))
}

#[test]
fn two_commands_in_a_row_keep_one_limit() {
    let arrivals = Arc::new(Arrivals::default());
    let peer = arrivals.peer();
    let project = project(&peer, &[("one", "1/1s")]);
    let begin = Instant::now();
    run(&project, "one", 1).ends(0);
    run(&project, "one", 1).ends(0);
    assert_eq!(arrivals.at("one").len(), 2);
    assert_eq!(arrivals.too_early("one", begin, 1, SECOND), None);
}

#[test]
fn a_pause_outlives_the_command_that_met_it() {
    let arrivals = Arc::new(Arrivals::default());
    let peer = arrivals.peer();
    let project = project(&peer, &[]);
    arrivals.throttle.store(true, Ordering::SeqCst);
    let get = ["run", "acme", "get", "path=any", "times:=[1]", "--allow-net", "127.0.0.0/8"];
    let brief = [&get[..], &["--wait", "1s", "--output=json"]].concat();
    for _ in 0..2 {
        let error = project.engine(&brief).ends(1).json()["error"].clone();
        assert_eq!(error["code"], "rate_limited");
        assert!(error["retry_at"].is_string(), "{error}");
    }
    assert_eq!(arrivals.at("any").len(), 1, "the second one was not sent");
    arrivals.throttle.store(false, Ordering::SeqCst);
    project.engine(&get).ends(0);
    let at = arrivals.at("any");
    assert!(at[1] - at[0] >= Duration::from_secs(2), "{:?}", at[1] - at[0]);
}

#[test]
fn a_command_that_ends_gives_back_what_it_did_not_use() {
    let arrivals = Arc::new(Arrivals::default());
    let peer = arrivals.peer();
    let project = project(&peer, &[("hour", "100/1h")]);
    run(&project, "hour", 40).ends(0);
    // Stopped in the middle of its work.
    let stopped = start(&project, "hour", 20);
    arrivals.wait("hour", 41);
    signal(&stopped, "-INT");
    let code = printed(stopped).code;
    assert!(code == 130 || code == 0, "{code}");
    // At most 60 are used, whatever it was doing.
    assert_eq!(run(&project, "hour", 40).ends(0).json(), 40);
    let get = [
        "run",
        "acme",
        "get",
        "path=hour",
        "times:=[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]",
    ];
    let brief = ["--wait", "1s", "--allow-net", "127.0.0.0/8", "--quiet"];
    // What is left of the 60, and no more: 20 at most.
    project.engine(&[&get[..], &brief].concat());
    project.engine(&[&get[..], &brief].concat()).ends(1);
    let all = arrivals.at("hour").len();
    assert!((80..=100).contains(&all), "{all}");
}

#[test]
fn three_processes_keep_one_rate_through_a_kill_and_a_stop() {
    let arrivals = Arc::new(Arrivals::default());
    let peer = arrivals.peer();
    let project = project(&peer, &[("fast", "50/1s"), ("slow", "10/1s")]);
    let begin = Instant::now();
    let fast: Vec<_> = [200, 60, 200].map(|times| start(&project, "fast", times)).into();
    let slow: Vec<_> = (0..3).map(|_| start(&project, "slow", 9)).collect();
    arrivals.wait("fast", 60);
    signal(&fast[0], "-KILL");
    signal(&fast[1], "-STOP");
    // The third one goes on alone.
    arrivals.wait("fast", 75);
    signal(&fast[1], "-CONT");
    let codes: Vec<_> = fast.into_iter().map(|child| printed(child).code).collect();
    assert_eq!(codes, [-1, 0, 0]);
    for child in slow {
        printed(child).ends(0);
    }
    assert!(arrivals.at("fast").len() >= 260);
    assert_eq!(arrivals.at("slow").len(), 27);
    for (path, rate) in [("fast", 50), ("slow", 10)] {
        assert_eq!(arrivals.too_early(path, begin, rate, SECOND), None, "{path}");
    }
}
