//! Tokens are refreshed once, stored before they are used, and never lost (threats T01–T13),
//! through the real binary against a real token endpoint.

use std::{
    process::Stdio,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::json;

use crate::support::{
    peer::{Answer, Peer, Seen},
    project::{Project, printed},
};

const RUN: [&str; 6] = ["run", "acme-oauth", "read", "--allow-net", "127.0.0.0/8", "--output=json"];

fn bearer(seen: &Seen) -> &str {
    seen.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).unwrap_or("")
}

/// Holds answers back until the test lets them go.
#[derive(Default)]
struct Latch(Mutex<bool>, Condvar);

impl Latch {
    fn release(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |released| !*released).unwrap());
    }
}

/// Token n is good only if it is the newest; refresh token n only once, and only the newest. The
/// endpoint answers once it is let.
fn rotating() -> (Peer, Arc<AtomicU32>, Arc<Latch>) {
    let (newest, latch) = (Arc::new(AtomicU32::new(0)), Arc::new(Latch::default()));
    let (state, answer) = (Arc::clone(&newest), Arc::clone(&latch));
    let peer = Peer::start(move |seen| {
        if seen.target == "/token" {
            let now = state.load(Ordering::SeqCst);
            if !seen.body.contains(&format!("refresh_token=r{now}&"))
                && !seen.body.ends_with(&format!("refresh_token=r{now}"))
            {
                return Answer::status(
                    400,
                    json!({"error": "invalid_grant", "error_description": "reuse"}),
                );
            }
            answer.wait();
            let next = state.fetch_add(1, Ordering::SeqCst) + 1;
            return Answer::json(
                json!({"access_token": format!("access-token-{next}"), "refresh_token": format!("r{next}"), "expires_in": 3600}),
            );
        }
        if bearer(seen) == format!("access-token-{}", state.load(Ordering::SeqCst)) {
            Answer::json(json!({"ok": true}))
        } else {
            Answer::status(401, json!({"error": "invalid_token"}))
        }
    });
    (peer, newest, latch)
}

#[test]
fn eight_processes_make_one_token_request() {
    let (peer, _, latch) = rotating();
    let project = Project::acme(&peer.url());
    project.add(
        "acme-oauth",
        &json!({"access_token": "access-token-0", "refresh_token": "r0", "expires_in": -10}),
    );
    let children: Vec<_> = (0..8).map(|_| project.command(&RUN).spawn().unwrap()).collect();
    // One of them asks while the others are there.
    while peer.count("/token") == 0 {
        std::thread::yield_now();
    }
    latch.release();
    for child in children {
        printed(child).ends(0);
    }
    assert_eq!(peer.count("/token"), 1);
}

#[test]
fn a_kill_in_the_middle_loses_nothing_that_was_acknowledged() {
    let (peer, newest, latch) = rotating();
    let project = Project::acme(&peer.url());
    project.add(
        "acme-oauth",
        &json!({"access_token": "access-token-0", "refresh_token": "r0", "expires_in": -10}),
    );
    let mut child = project.command(&RUN).stdout(Stdio::null()).spawn().unwrap();
    while peer.count("/token") == 0 {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    latch.release();
    // The endpoint had not answered yet when the process died; afterwards it rotated for nobody.
    while newest.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let printed = project.engine(&RUN);
    let shown =
        project.engine(&["connections", "show", "acme-oauth", "--output=json"]).ends(0).json();
    // One clear end, whichever: never an endless 500.
    assert_eq!(printed.code, 1, "{printed:?}");
    assert_eq!(shown["status"], "needs_authorization");
}
