//! Kills the process at random moments of a refresh, over and over: whatever was acknowledged is in
//! the store, and the store is sound. `cargo test --test kills -- --nocapture` reports.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, clippy::cast_precision_loss, reason = "tests may")]
#![expect(
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    reason = "it kills by the clock"
)]
#![expect(dead_code, reason = "support is shared")]

mod support;

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    peer::{Answer, Peer},
    project::Project,
};

const KILLS: u32 = 220;
const STOPS: u32 = 200;
const MOST_ROUNDS: u32 = 2000;
const REFRESH: [&str; 6] =
    ["connections", "refresh", "acme-oauth", "--allow-net", "127.0.0.0/8", "--quiet"];

/// A vendor whose refresh tokens work once, and a project with one connection to it.
struct Scene {
    newest: Arc<AtomicU32>,
    project: Project,
    /// How long an undisturbed refresh takes, so that what happens to others falls all over it.
    whole: Duration,
    _peer: Peer,
}

impl Scene {
    fn start() -> Self {
        // Every refresh token works once and yields the next one; a used one is dead.
        let newest = Arc::new(AtomicU32::new(0));
        let state = Arc::clone(&newest);
        let peer = Peer::start(move |seen| {
            let given: u32 = seen
                .body
                .split("refresh_token=r")
                .nth(1)
                .unwrap()
                .split('&')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            std::thread::sleep(Duration::from_millis(5));
            match state.compare_exchange(given, given + 1, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => Answer::json(
                    json!({"access_token": format!("a{}", given + 1), "refresh_token": format!("r{}", given + 1), "expires_in": 3600}),
                ),
                Err(_) => Answer::status(400, json!({"error": "invalid_grant"})),
            }
        });
        let project = Project::acme(&peer.url());
        let mut scene = Self { newest, project, whole: Duration::ZERO, _peer: peer };
        scene.give(0);
        let start = Instant::now();
        scene.project.engine(&REFRESH).ends(0);
        scene.whole = start.elapsed();
        scene
    }

    /// What a new sign-in would give.
    fn give(&self, number: u32) {
        let line = json!({"integration": "acme-oauth", "id": "default", "credentials": {
            "access_token": format!("a{number}"), "refresh_token": format!("r{number}")
        }});
        let import = ["connections", "import", "--replace"];
        self.project.engine_with(&import, &line.to_string()).ends(0);
    }

    fn stored(&self) -> u32 {
        let exported = self.project.engine(&["connections", "export", "--with-secrets"]).ends(0);
        let line: Value = serde_json::from_str(exported.stdout.trim()).unwrap();
        line["credentials"]["refresh_token"].as_str().unwrap()[1..].parse().unwrap()
    }
}

#[test]
fn what_was_acknowledged_is_never_lost() {
    let scene = Scene::start();
    let Scene { newest, project, whole, .. } = &scene;
    let (mut killed, mut finished, mut spent, mut acknowledged) = (0, 0, 0, scene.stored());
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut rounds = 0;
    while killed < KILLS && rounds < MOST_ROUNDS {
        rounds += 1;
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((seed >> 33) as f64 / f64::from(1_u32 << 31) * 1.1);
        let mut child =
            project.command(&REFRESH).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        drop(child.kill());
        let status = child.wait().unwrap();
        let now = scene.stored();
        assert!(now >= acknowledged, "an acknowledged token was lost: {now} after {acknowledged}");
        if status.success() {
            finished += 1;
            assert_eq!(now, newest.load(Ordering::SeqCst), "a refresh that ended well is stored");
        } else {
            killed += 1;
        }
        acknowledged = now;
        // The server may go on answering for a moment after the kill.
        std::thread::sleep(Duration::from_millis(8));
        let honoured = newest.load(Ordering::SeqCst);
        if honoured != now {
            // The answer was on its way when the process died: nobody has that token. It shows as
            // one clear end, and a new sign-in mends it.
            spent += 1;
            let ended = project.engine(&REFRESH);
            assert_eq!(ended.code, 1, "{}", ended.stderr);
            assert!(ended.stderr.contains("needs authorization"), "{}", ended.stderr);
            scene.give(honoured);
            acknowledged = honoured;
        }
    }
    println!(
        "{rounds} rounds: {killed} killed, {finished} finished before the kill, {spent} killed between the server's answer and ours; nothing that was acknowledged was lost"
    );
    assert_eq!(killed, KILLS, "the kills came too late");
}

/// Stops a process in the middle of a refresh, lets another one come, and lets the first go on.
#[test]
fn a_process_that_stands_still_for_a_while_spends_nothing_twice() {
    let scene = Scene::start();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..STOPS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = scene.whole.mul_f64((seed >> 33) as f64 / f64::from(1_u32 << 31));
        let before = scene.newest.load(Ordering::SeqCst);
        let start = || {
            let mut command = scene.project.command(&REFRESH);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let signal = |child: &Child, name: &str| {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args([name, &pid]).status().is_ok());
        };
        let mut stopped = start();
        std::thread::sleep(moment);
        signal(&stopped, "-STOP");
        let mut other = start();
        std::thread::sleep(Duration::from_millis(30));
        signal(&stopped, "-CONT");
        assert!(other.wait().unwrap().success(), "round {round}");
        assert!(stopped.wait().unwrap().success(), "round {round}");
        let now = scene.newest.load(Ordering::SeqCst);
        assert!((1..=2).contains(&(now - before)), "round {round}");
        assert_eq!(scene.stored(), now, "round {round}: what the vendor gave last is stored");
    }
    println!("{STOPS} stops: no refresh token was spent twice");
}
