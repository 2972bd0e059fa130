//! Kills the process at random moments of a refresh, over and over: whatever was acknowledged is in
//! the store, and the store is sound. `cargo test --test kills -- --nocapture` reports.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::too_many_lines, clippy::cast_precision_loss, reason = "tests may")]
#![expect(
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    reason = "it kills by the clock"
)]
#![expect(dead_code, reason = "support is shared")]

mod support;

use std::{
    process::Stdio,
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
const MOST_ROUNDS: u32 = 2000;

#[test]
fn what_was_acknowledged_is_never_lost() {
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
    let give = |number: u32| {
        let line = json!({"integration": "acme-oauth", "id": "default", "credentials": {
            "access_token": format!("a{number}"), "refresh_token": format!("r{number}")
        }});
        project.engine_with(&["connections", "import", "--replace"], &line.to_string()).ends(0);
    };
    let stored = || -> u32 {
        let exported = project.engine(&["connections", "export", "--with-secrets"]).ends(0);
        let line: Value = serde_json::from_str(exported.stdout.trim()).unwrap();
        line["credentials"]["refresh_token"].as_str().unwrap()[1..].parse().unwrap()
    };
    give(0);
    let refresh = ["connections", "refresh", "acme-oauth", "--allow-net", "127.0.0.0/8", "--quiet"];
    // How long an undisturbed refresh takes, so that the kills fall all over it.
    let start = Instant::now();
    project.engine(&refresh).ends(0);
    let whole = start.elapsed();
    let (mut killed, mut finished, mut spent, mut acknowledged) = (0, 0, 0, stored());
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut rounds = 0;
    while killed < KILLS && rounds < MOST_ROUNDS {
        rounds += 1;
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = whole.mul_f64((seed >> 33) as f64 / f64::from(1_u32 << 31) * 1.1);
        let mut child =
            project.command(&refresh).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        drop(child.kill());
        let status = child.wait().unwrap();
        let now = stored();
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
            let ended = project.engine(&refresh);
            assert_eq!(ended.code, 1, "{}", ended.stderr);
            assert!(ended.stderr.contains("needs authorization"), "{}", ended.stderr);
            give(honoured);
            acknowledged = honoured;
        }
    }
    println!(
        "{rounds} rounds: {killed} killed, {finished} finished before the kill, {spent} killed between the server's answer and ours; nothing that was acknowledged was lost"
    );
    assert_eq!(killed, KILLS, "the kills came too late");
}
