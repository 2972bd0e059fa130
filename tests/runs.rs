//! What a run does over the wire, against a peer that behaves badly.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;

use crate::support::{
    peer::{Answer, Peer},
    project::{Printed, Project},
};

/// An API with a key, quick retries, and actions for each behaviour.
fn project(peer: &Peer) -> Project {
    let url = peer.url();
    let project = Project::new(&[
        ("integrations.yaml", &format!("integrations:\n  acme:\n    extends_blueprint: acme:v0\n    requests: {{base_url: '{url}/v1'}}\n")),
        (
            "blueprints/acme/v0.yaml",
            "blueprint: acme:v0
title: Acme
auth: {auth_mode: API_KEY, credentials: {type: object, required: [api_key], properties: {api_key: {type: string, writeOnly: true}}}}
requests: {base_url: 'https://api.acme.test/v1', headers: {x-api-key: '{{credentials.api_key}}'}, timeout: 2s, max_response: 100000}
retry: {attempts: 3, initial: 1ms, max: 2ms, budget: 5s}
paginate: {kind: next_url, items: '{{body.items}}', next: '{{opt body.next}}'}
error: {message: '{{body.message}}'}
",
        ),
        ("actions/acme/read.yaml", "action: read\nblueprint: acme:v0\ndescription: Reads one.\neffect: read\ninput: {type: object, properties: {id: {type: string, default: '1'}}}\nsteps: [{id: it, get: '/things/{{default input.id \"1\"}}'}]\noutput: '{{steps.it.body}}'\n"),
        ("actions/acme/list.yaml", "action: list\nblueprint: acme:v0\ndescription: Lists all.\neffect: read\nsteps: [{id: all, get: /things, paginate: true}]\noutput: {items: '{{steps.all.items}}'}\n"),
        ("actions/acme/post.yaml", "action: post\nblueprint: acme:v0\ndescription: Makes one.\neffect: write\nsteps: [{id: made, post: /things, json: {name: x}}]\noutput: '{{steps.made.body}}'\n"),
    ]);
    project
        .engine_with(
            &["connections", "add", "acme", "--credentials-stdin"],
            "{\"api_key\": \"geheimer-schluessel\"}",
        )
        .ends(0);
    project
}

fn run(project: &Project, action: &str) -> Printed {
    project.engine(&["run", "acme", action, "--allow-net", "127.0.0.0/8", "--output=json"])
}

fn failure(printed: Printed) -> serde_json::Value {
    printed.ends(1).json()["error"].clone()
}

#[test]
fn a_get_is_repeated_and_a_post_of_unknown_fate_is_not() {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let peer = Peer::start(move |request| match request.method.as_str() {
        "POST" => Answer::HangUp,
        _ if seen.fetch_add(1, Ordering::SeqCst) == 0 => {
            Answer::status(503, json!({"message": "later"}))
        }
        _ => Answer::json(json!({"id": 1})),
    });
    let project = project(&peer);
    assert_eq!(run(&project, "read").ends(0).json(), json!({"id": 1}));
    let error = failure(run(&project, "post"));
    assert_eq!(
        (&error["maybe_executed"], peer.seen().iter().filter(|r| r.method == "POST").count()),
        (&json!(true), 1)
    );
}

#[test]
fn a_429_is_waited_out_whatever_the_method() {
    let count = Arc::new(AtomicUsize::new(0));
    let peer = Peer::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Send(429, vec![("retry-after", "0.02".into())], "{}".into()),
        _ => Answer::json(json!({"id": 2})),
    });
    let project = project(&peer);
    assert_eq!(run(&project, "post").ends(0).json(), json!({"id": 2}));
    assert_eq!(peer.seen().len(), 2);
}

#[test]
fn a_wait_beyond_the_budget_fails_at_once_with_the_time() {
    let peer =
        Peer::start(|_| Answer::Send(429, vec![("retry-after", "3600".into())], "{}".into()));
    let error = failure(run(&project(&peer), "read"));
    assert_eq!(error["code"], "rate_limited");
    assert!(error["retry_at"].is_string(), "{error}");
    assert_eq!(peer.seen().len(), 1);
}

#[test]
fn next_links_to_other_hosts_get_no_credentials() {
    let thief = Peer::start(|_| Answer::json(json!({"items": []})));
    for target in [
        thief.url(),
        "//evil.test/x".into(),
        "/\\evil.test/x".into(),
        "javascript:alert(1)".into(),
        "file:///etc/passwd".into(),
    ] {
        let next = target.clone();
        let peer = Peer::start(move |_| Answer::json(json!({"items": [1], "next": next})));
        let error = failure(run(&project(&peer), "list"));
        assert_eq!(error["code"], "provider_error", "{target}");
    }
    assert_eq!(thief.seen().len(), 0);
}

#[test]
fn pages_are_followed_and_a_loop_is_noticed() {
    let peer = Peer::start(|request| match request.target.as_str() {
        "/v1/things" => Answer::json(json!({"items": [1], "next": "/v1/things?page=2"})),
        "/v1/things?page=2" => Answer::json(json!({"items": [], "next": "things?page=3"})),
        _ => Answer::json(json!({"items": [2]})),
    });
    assert_eq!(run(&project(&peer), "list").ends(0).json(), json!({"items": [1, 2]}));
    let peer = Peer::start(|_| Answer::json(json!({"items": [1], "next": "/v1/things?a"})));
    let error = failure(run(&project(&peer), "list"));
    assert_eq!(error["message"], "pagination does not advance");
    assert_eq!(peer.seen().len(), 2);
}

#[test]
fn redirects_stay_on_the_origin() {
    let thief = Peer::start(|_| Answer::json(json!({})));
    let away = thief.url();
    let peer = Peer::start(move |request| match request.target.as_str() {
        "/v1/things/1" => Answer::Send(302, vec![("location", "/v1/moved".into())], String::new()),
        "/v1/moved" => Answer::json(json!({"moved": true})),
        _ => Answer::Send(302, vec![("location", away.clone())], String::new()),
    });
    let project = project(&peer);
    assert_eq!(run(&project, "read").ends(0).json(), json!({"moved": true}));
    assert_eq!(failure(run(&project, "post"))["status"], 302);
    assert_eq!(thief.seen().len(), 0);
}

#[test]
fn damaged_answers_are_errors() {
    for (name, answer) in [
        (
            "html",
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>",
        ),
        ("short", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"id\": 1}"),
        ("chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n"),
        ("gzip", "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"),
        ("empty", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("cut", "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"id\": 1"),
        ("nan", "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"id\": NaN}"),
        ("nonsense", "SMTP ready\r\n\r\n"),
    ] {
        let peer = Peer::start(move |_| Answer::Raw(answer.as_bytes().to_vec()));
        let error = failure(run(&project(&peer), "read"));
        assert_eq!(error["code"], "provider_error", "{name}: {error}");
    }
}

#[test]
fn an_answer_that_is_too_large_is_cut_off() {
    let peer = Peer::start(|_| Answer::json(json!({"fill": "x".repeat(200_000)})));
    let error = failure(run(&project(&peer), "read"));
    assert!(error["message"].as_str().unwrap().contains("larger than 100000 bytes"), "{error}");
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
fn a_peer_that_is_not_there_is_named() {
    let peer = Peer::start(|_| Answer::HangUp);
    let project = project(&peer);
    project.write("integrations.yaml", "integrations:\n  acme:\n    extends_blueprint: acme:v0\n    requests: {base_url: 'http://127.0.0.1:1'}\n");
    let error = failure(run(&project, "read"));
    assert_eq!(error["code"], "provider_error");
    assert!(error["message"].as_str().unwrap().contains("127.0.0.1"), "{error}");
}

#[test]
fn big_numbers_and_key_order_survive() {
    let text = "{\"z\": 12345678901234567890123, \"a\": 1.10, \"big\": 9007199254740993}";
    let peer = Peer::start(move |_| Answer::Send(200, vec![], text.into()));
    let printed = run(&project(&peer), "read").ends(0);
    let compact: String = printed.stdout.chars().filter(|c| !c.is_whitespace()).collect();
    assert_eq!(compact, text.replace(' ', ""));
}

#[test]
fn a_signal_ends_a_run_and_records_what_was_sent() {
    let peer = Peer::start(|_| {
        loop {
            std::thread::park(); // It never answers.
        }
    });
    let project = project(&peer);
    for (signal, code, action) in [("-INT", 130, "read"), ("-TERM", 143, "post")] {
        let child = project
            .command(&["run", "acme", action, "--allow-net", "127.0.0.0/8"])
            .spawn()
            .unwrap();
        let before = peer.seen().len();
        while peer.seen().len() == before {
            std::thread::yield_now();
        }
        let id = child.id().to_string();
        std::process::Command::new("kill").args([signal, &id]).status().unwrap();
        assert_eq!(crate::support::project::printed(child).code, code);
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
    assert_eq!(told, [cancelled(perhaps), cancelled(stopped)]);
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
