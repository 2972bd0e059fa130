//! Tokens are refreshed once, stored before they are used, and never lost (threats T01–T13),
//! through the real binary against a real token endpoint.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::support::{
    peer::{Answer, Peer, Seen},
    project::{Project, printed},
};

/// An API whose tokens rotate: a refresh token that was used once is dead.
fn project(peer: &Peer) -> Project {
    let url = peer.url();
    Project::new(&[
        (
            "integrations.yaml",
            &format!(
                "integrations:\n  acme:\n    extends_blueprint: acme:v0\n    oauth_client_id: id\n    oauth_client_secret: geheim\n    requests: {{base_url: '{url}'}}\n    auth: {{token_url: '{url}/token'}}\n"
            ),
        ),
        (
            "blueprints/acme/v0.yaml",
            "blueprint: acme:v0\ntitle: Acme\nauth:\n  auth_mode: OAUTH2\n  authorization_url: https://acme.test/authorize\n  token_url: https://acme.test/token\nrequests: {base_url: 'https://acme.test'}\nretry: {attempts: 2, initial: 1ms, max: 2ms}\n",
        ),
        (
            "actions/acme/me.yaml",
            "action: me\nblueprint: acme:v0\ndescription: Who am I?\neffect: read\nsteps:\n  - id: me\n    get: /me\noutput: '{{steps.me.body}}'\n",
        ),
    ])
}

const RUN: [&str; 6] = ["run", "acme", "me", "--allow-net", "127.0.0.0/8", "--output=json"];

fn connect(project: &Project, credentials: serde_json::Value) {
    project
        .engine_with(
            &["connections", "add", "acme", "--credentials-stdin"],
            &credentials.to_string(),
        )
        .ends(0);
}

fn bearer(seen: &Seen) -> &str {
    seen.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).unwrap_or("")
}

/// Token n is good only if it is the newest; refresh token n only once, and only the newest.
fn rotating() -> (Peer, Arc<AtomicU32>) {
    let newest = Arc::new(AtomicU32::new(0));
    let state = Arc::clone(&newest);
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
            // Long enough that all who wait are waiting.
            std::thread::sleep(Duration::from_millis(150));
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
    (peer, newest)
}

#[test]
fn eight_processes_make_one_token_request() {
    let (peer, _) = rotating();
    let project = project(&peer);
    connect(
        &project,
        json!({"access_token": "access-token-0", "refresh_token": "r0", "expires_in": -10}),
    );
    let children: Vec<_> = (0..8).map(|_| project.command(&RUN).spawn().unwrap()).collect();
    for child in children {
        printed(child).ends(0);
    }
    assert_eq!(peer.count("/token"), 1);
}

#[test]
fn a_refused_token_is_renewed_once_and_the_request_repeated() {
    let (peer, newest) = rotating();
    let project = project(&peer);
    connect(&project, json!({"access_token": "stale-access-token", "refresh_token": "r0"}));
    project.engine(&RUN).ends(0);
    assert_eq!((peer.count("/token"), peer.count("/me")), (1, 2));
    assert_eq!(newest.load(Ordering::SeqCst), 1);
}

#[test]
fn a_dead_grant_is_marked_once_and_fails_fast_afterwards() {
    let (peer, _) = rotating();
    let project = project(&peer);
    connect(
        &project,
        json!({"access_token": "old-access-token", "refresh_token": "used-up", "expires_in": -10}),
    );
    let first = project.engine(&RUN).ends(1);
    assert!(first.stderr.contains("invalid_grant: reuse"), "{}", first.stderr);
    assert_eq!(peer.count("/token"), 1);
    let second = project.engine(&RUN);
    assert_ne!(second.code, 0);
    assert_eq!((peer.count("/token"), peer.count("/me")), (1, 0));
    let shown = project.engine(&["connections", "show", "acme", "--output=json"]).ends(0).json();
    assert_eq!(shown["status"], "needs_authorization");
    assert!(!first.stderr.contains("used-up") && !first.stdout.contains("geheim"));
}

#[test]
fn an_endpoint_that_is_down_kills_nothing() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" => Answer::status(503, json!({"error": "temporarily_unavailable"})),
        _ => Answer::json(json!({"ok": true})),
    });
    let project = project(&peer);
    // Due ahead of time, but not over: the old token still serves.
    connect(
        &project,
        json!({"access_token": "old-access-token", "refresh_token": "r0", "expires_in": 0.9}),
    );
    connect_replace(
        &project,
        json!({"access_token": "old-access-token", "refresh_token": "r0", "expires_in": -1}),
    );
    let printed = project.engine(&RUN).ends(1);
    assert!(printed.stderr.contains("could not be refreshed"), "{}", printed.stderr);
    let shown = project.engine(&["connections", "show", "acme", "--output=json"]).ends(0).json();
    assert_eq!(shown["status"], "active");
}

fn connect_replace(project: &Project, credentials: serde_json::Value) {
    project
        .engine_with(
            &["connections", "add", "acme", "--credentials-stdin", "--replace"],
            &credentials.to_string(),
        )
        .ends(0);
}

#[test]
fn odd_token_answers_keep_what_is_stored() {
    for answer in [
        "<html>login</html>",
        "{\"error\": \"bad_verification_code\"}",
        "{\"access_token\": \"a\\r\\nb\"}",
        "{}",
        "",
    ] {
        let peer = Peer::start(move |seen| match seen.target.as_str() {
            "/token" => Answer::Send(200, vec![], answer.to_owned()),
            _ => Answer::json(json!({"ok": true})),
        });
        let project = project(&peer);
        connect(
            &project,
            json!({"access_token": "old-access-token", "refresh_token": "r0", "expires_in": -1}),
        );
        project.engine(&RUN).ends(1);
        let shown =
            project.engine(&["connections", "show", "acme", "--output=json"]).ends(0).json();
        assert_eq!(shown["status"], "active", "{answer}");
    }
}

#[test]
fn a_redirecting_token_endpoint_gets_nothing_more() {
    let thief = Peer::start(|_| Answer::json(json!({"access_token": "stolen"})));
    let target = format!("{}/steal", thief.url());
    let peer = Peer::start(move |seen| match seen.target.as_str() {
        "/token" => Answer::Send(307, vec![("location", target.clone())], String::new()),
        _ => Answer::json(json!({"ok": true})),
    });
    let project = project(&peer);
    connect(
        &project,
        json!({"access_token": "old-access-token", "refresh_token": "r0", "expires_in": -1}),
    );
    project.engine(&RUN).ends(1);
    assert_eq!(thief.seen().len(), 0);
}

#[test]
fn a_kill_in_the_middle_loses_nothing_that_was_acknowledged() {
    let (peer, newest) = rotating();
    let project = project(&peer);
    connect(
        &project,
        json!({"access_token": "access-token-0", "refresh_token": "r0", "expires_in": -10}),
    );
    let mut child = project.command(&RUN).stdout(Stdio::null()).spawn().unwrap();
    while peer.count("/token") == 0 {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The endpoint had not answered yet when the process died; afterwards it rotated for nobody.
    while newest.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let printed = project.engine(&RUN);
    let shown = project.engine(&["connections", "show", "acme", "--output=json"]).ends(0).json();
    // One clear end, whichever: never an endless 500.
    assert_eq!(printed.code, 1, "{printed:?}");
    assert_eq!(shown["status"], "needs_authorization");
}
