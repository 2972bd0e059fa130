//! What a run does over the wire that no scenario can state: policies and signals.

use serde_json::json;

use crate::support::{
    peer::{Answer, Peer},
    project::{Printed, Project},
};

fn project(peer: &Peer) -> Project {
    let project = Project::acme(&peer.url());
    project.add("acme", &json!({"api_key": "key-of-acme"}));
    project
}

/// The same, waiting for an answer for as long as a test may take on a busy machine.
fn patient(peer: &Peer) -> Project {
    let project = project(peer);
    project.write(
        "integrations.yaml",
        &format!(
            "integrations:\n  acme:\n    extends_blueprint: acme:v0\n    requests: {{base_url: '{}'}}\n    http_request_timeout_seconds: 600\n",
            peer.url()
        ),
    );
    project
}

fn failure(printed: Printed) -> serde_json::Value {
    printed.ends(1).json()["error"].clone()
}

#[test]
fn loopback_is_refused_unless_it_is_opened() {
    let peer = Peer::start(|_| Answer::json(json!({})));
    let project = project(&peer);
    let printed = project.engine(&["run", "acme", "read", "--output=json"]);
    let error = failure(printed);
    assert!(error["message"].as_str().unwrap().contains("outbound policy"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("--allow-net"));
    assert_eq!(peer.seen().len(), 0);
}

#[test]
fn a_signal_ends_a_run_and_records_what_was_sent() {
    let peer = Peer::start(|_| {
        loop {
            std::thread::park(); // It never answers.
        }
    });
    let project = patient(&peer);
    for (signal, code, action) in [
        ("-INT", 130, "read"),
        ("-TERM", 143, "make"),
        ("-HUP", 129, "read"),
        ("-QUIT", 131, "make"),
    ] {
        // Under `nohup` the engine ignores it, as it should.
        if signal == "-HUP" && is_hangup_ignored() {
            continue;
        }
        let child = project
            .command(&["run", "acme", action, "--allow-net", "127.0.0.0/8", "--output=json"])
            .spawn()
            .unwrap();
        let before = peer.seen().len();
        while peer.seen().len() == before {
            std::thread::yield_now();
        }
        let id = child.id().to_string();
        std::process::Command::new("kill").args([signal, &id]).status().unwrap();
        let printed = crate::support::project::printed(child).ends(code).json();
        let (error, write) = (&printed["error"], action == "make");
        assert_eq!(error["code"], "cancelled");
        assert_eq!(error["maybe_executed"].as_bool(), write.then_some(true), "{printed}");
    }
    let logs = project.engine(&["logs", "--output=json"]).ends(0).json();
    let runs = logs["runs"].as_array().unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| {
            let record = project.engine(&["logs", run["id"].as_str().unwrap()]).ends(0).json();
            let attempt = &record["attempts"][0];
            (record["status"].clone(), attempt["outcome"].clone(), attempt["message"].clone())
        })
        .collect();
    let stopped = "stopped before the answer came";
    let perhaps = "stopped before the answer came; it may have taken effect";
    let cancelled = |message| (json!("cancelled"), json!("cancelled"), json!(message));
    let mut each = vec![cancelled(perhaps), cancelled(stopped)];
    each.extend_from_within(..);
    if is_hangup_ignored() {
        each.remove(1);
    }
    assert_eq!(told, each);
}

/// Whether this process, and what it starts, was told to ignore SIGHUP (`proc_pid_status(5)`).
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// The process dies in the middle: what it may have done is not done again, and said.
#[test]
fn work_whose_process_died_is_not_done_again() {
    let peer = Peer::start(|_| {
        loop {
            std::thread::park(); // It never answers.
        }
    });
    let project = patient(&peer);
    let run = |action: &str| {
        let key = ["--idempotency-key", "k", "--allow-net", "127.0.0.0/8", "--output=json"];
        project.command(&[&["run", "acme", action][..], &key].concat())
    };
    let mut first = run("make").spawn().unwrap();
    while peer.seen().is_empty() {
        std::thread::yield_now();
    }
    let code = |action: &str, exit: i32| {
        let printed = crate::support::project::finish(run(action), "").ends(exit).json();
        printed["error"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code("make", 2), "call.idempotency-running");
    assert_eq!(code("read", 2), "call.idempotency-conflict");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(code("make", 2), "call.idempotency-running", "nobody knows yet");
    // The term of a claim, which nothing prolongs any more.
    let store = rusqlite::Connection::open(project.path(".engine/engine.db")).unwrap();
    store.execute("UPDATE jobs SET lease_until = 1", []).unwrap();
    assert_eq!(code("make", 2), "call.idempotency-interrupted");
    assert_eq!(code("read", 2), "call.idempotency-conflict");
    assert_eq!(peer.seen().len(), 1);
}

/// A last page without a cursor, an answer that asks for patience under a rule that only says what
/// it is, and items that failed and are forgotten.
#[test]
fn what_an_author_leaves_out_has_its_plain_meaning() {
    let project = Project::new(&[
        ("integrations.yaml", "integrations:\n  acme:\n    extends_blueprint: acme:v0\n"),
        (
            "blueprints/acme/v0.yaml",
            "blueprint: acme:v0\ntitle: Acme\nauth: {auth_mode: NONE}\nrequests: {base_url: 'https://acme.test'}\npaginate: {kind: cursor, items: '{{body.rows}}', cursor: {from: '{{body.next}}', to: query.after}}\nresponses:\n  - when: {status: 400, body: {error: slow_down}}\n    is: rate_limited\n",
        ),
        (
            "actions/acme/rows.yaml",
            "action: rows\nblueprint: acme:v0\ndescription: Rows and what is known of each.\neffect: read\nsteps:\n  - id: rows\n    get: /rows\n    paginate: {max_pages: 9}\n    output: '{{items}}'\n  - id: each\n    each: '{{steps.rows.output}}'\n    as: row\n    on_error: skip\n    get: /rows/{{row.id}}\n    output: '{{body}}'\noutput:\n  results: '{{steps.each.results}}'\n  errors: '{{steps.each.errors}}'\ntests:\n  - name: plain\n    http:\n      - {get: /rows, reply: {status: 400, headers: {Retry-After: '7'}, json: {error: slow_down}}}\n      - {get: /rows, reply: {json: {rows: [{id: a}], next: n}}}\n      - {get: '/rows?after=n', reply: {json: {rows: [{id: b}]}}}\n      - {get: /rows/a, reply: {status: 404, json: {}}}\n      - {get: /rows/b, reply: {json: {ok: true}}}\n    expect:\n      waited: 7s\n      output:\n        results: [{item: {id: b}, output: {ok: true}}]\n        errors: []\n",
        ),
    ]);
    let tested = project.engine(&["test"]);
    assert_eq!(tested.code, 0, "{}\n{}", tested.stdout, tested.stderr);
}
