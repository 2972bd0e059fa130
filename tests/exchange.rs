//! One exchange: what is sent and what comes back, byte for byte, and no write that is lost.

use std::{
    io::Write,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::json;

use crate::support::{
    api::{NET, project},
    peer::{Answer, Peer, Seen},
    project::Project,
};

const OPEN: &str = "auth: {auth_mode: NONE}\nrequests: {base_url: URL}\nretry: {attempts: 3, initial: 1ms, max: 2ms}\n";

/// An API without credentials, connected.
fn open(peer: &Peer, more: &str) -> Project {
    let project = project(peer, &format!("{OPEN}{more}"), "");
    project.engine(&["connections", "add", "api"]).ends(0);
    project
}

fn request(project: &Project, args: &[&str]) -> std::process::Output {
    let mut all = vec!["request", "api", NET[0], NET[1]];
    all.extend(args);
    project.command(&all).output().unwrap()
}

fn raw(head: &[u8], body: &[u8]) -> Answer {
    let length = format!("content-length: {}\r\n\r\n", body.len());
    Answer::Raw([b"HTTP/1.1 200 OK\r\n", head, length.as_bytes(), body].concat())
}

#[test]
fn what_the_api_sent_comes_back_byte_for_byte() {
    let image: Vec<u8> = (0..1024_u32).map(|n| n.to_le_bytes()[0]).collect();
    let sent = image.clone();
    let peer = Peer::start(move |_| raw(b"content-type: image/png\r\nx-odd: caf\xe9\r\n", &sent));
    let project = open(&peer, "");
    let plain = request(&project, &["GET", "/img"]);
    assert!(plain.status.success() && plain.stderr.is_empty(), "{plain:?}");
    assert_eq!(plain.stdout, image);
    let as_json = request(&project, &["GET", "/img", "--output", "json", "-i"]);
    let shown: serde_json::Value = serde_json::from_slice(&as_json.stdout).unwrap();
    assert_eq!(
        (&shown["encoding"], &shown["headers"]["x-odd"]),
        (&json!("base64"), &json!("café"))
    );
    let engine = base64::engine::general_purpose::STANDARD;
    let body = shown["body"].as_str().unwrap();
    assert_eq!(base64::Engine::decode(&engine, body).unwrap(), image);
    let bare = request(&project, &["GET", "/img", "--output", "json"]);
    let bare: serde_json::Value = serde_json::from_slice(&bare.stdout).unwrap();
    assert_eq!(bare, json!({"encoding": "base64", "body": body}));
    let saved = request(&project, &["GET", "/img", "--save", "a.png"]);
    assert!(saved.status.success() && saved.stdout.is_empty(), "{saved:?}");
    assert_eq!(std::fs::read(project.path("a.png")).unwrap(), image);
}

#[test]
fn json_and_text_come_as_they_were_written() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/json" => raw(b"", b"{\"b\": 1.50,\n \"a\":1}"),
        _ => raw(b"", b"plain \xff"),
    });
    let project = open(&peer, "");
    assert_eq!(request(&project, &["GET", "/json"]).stdout, b"{\"b\": 1.50,\n \"a\":1}");
    assert_eq!(request(&project, &["GET", "/text"]).stdout, b"plain \xff");
    let shown = request(&project, &["GET", "/json", "--output", "json"]).stdout;
    assert_eq!(shown, b"{\n  \"b\": 1.50,\n  \"a\": 1\n}\n");
}

#[test]
fn any_method_is_sent_and_only_registered_ones_are_repeated() {
    let tries = AtomicUsize::new(0);
    let peer = Peer::start(move |seen: &Seen| match tries.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Answer::status(503, json!({})),
        _ => Answer::json(json!({"method": seen.method, "body": seen.body})),
    });
    let project = open(&peer, "");
    let found = request(&project, &["propfind", "/dav", "--body", "<a/>"]);
    assert!(found.status.success(), "{found:?}");
    let echo: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(echo, json!({"method": "PROPFIND", "body": "<a/>"}));
    let listed = request(&project, &["LIST", "/secrets"]);
    assert_eq!(listed.status.code(), Some(1), "{listed:?}");
    assert_eq!(peer.count("/secrets"), 1);
}

#[test]
fn a_large_file_is_read_while_it_is_sent_and_sent_again_where_that_is_right() {
    let tries = AtomicUsize::new(0);
    let peer = Peer::start(move |seen: &Seen| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::status(503, json!({})),
        _ => Answer::json(json!({"length": seen.body.len()})),
    });
    let project = open(&peer, "");
    let text = "0123456789abcdef".repeat(200_000);
    project.write("large.txt", &text);
    let sent = request(
        &project,
        &["PUT", "/large", "--body", "@large.txt", "--content-type", "text/plain"],
    );
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!(sent.stdout, json!({"length": text.len()}).to_string().as_bytes());
    let seen = peer.seen();
    assert!(seen.len() == 2 && seen.iter().all(|seen| seen.body == text));
    assert!(seen.iter().all(|seen| seen.header("content-length") == Some("3200000")));
}

#[test]
fn an_answer_that_breaks_off_is_a_failure_and_in_the_record() {
    let peer =
        Peer::start(|_| Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".into()));
    let project = open(&peer, "");
    let broken = request(&project, &["GET", "/x", "--save", "x"]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(!project.path("x").exists() && !project.path("x.part").exists());
    let runs = project.engine(&["logs", "--output", "json"]).ends(0).json();
    let id = runs["runs"][0]["id"].as_str().unwrap();
    let run = project.engine(&["logs", id, "--output", "json"]).ends(0).json();
    let attempt = &run["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["status"]), (&json!("broken"), &json!(200)), "{run}");
    assert_eq!(run["attempts"].as_array().unwrap().len(), 1, "what was handed on is not repeated");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let peer = Peer::start(|_| raw(b"", &vec![b'x'; 4_000_000]));
    let project = open(&peer, "");
    let args = ["request", "api", NET[0], NET[1], "GET", "/long"];
    let mut child = project.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn rules_see_the_bodies_of_answers_that_say_how_it_went() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/no" => {
            raw(b"content-type: application/json\r\n", b"{\"ok\": false, \"error\": \"no_text\"}")
        }
        _ => raw(b"content-type: application/json\r\n", b"{\"ok\": true}"),
    });
    let project = open(
        &peer,
        "responses: [{when: {body: {ok: false}}, is: error, code: invalid_input, message: '{{body.error}}'}]\n",
    );
    assert_eq!(request(&project, &["GET", "/yes"]).stdout, b"{\"ok\": true}");
    let no = request(&project, &["GET", "/no"]);
    assert_eq!(no.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&no.stderr).contains("no_text"), "{no:?}");
}

#[test]
fn all_pages_come_as_one_list() {
    let peer = Peer::start(|seen| {
        Answer::json(match seen.target.as_str() {
            "/rows?q=1" => json!({"rows": [1, 2], "next": "n"}),
            _ => json!({"rows": [3], "next": null}),
        })
    });
    let project = open(
        &peer,
        "paginate: {kind: cursor, items: '{{body.rows}}', cursor: {from: '{{body.next}}', to: query.after}}\n",
    );
    let all = request(&project, &["GET", "/rows?q=1", "--paginate", "--output", "json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&all.stdout).unwrap(), json!([1, 2, 3]));
    assert_eq!(peer.seen()[1].target, "/rows?q=1&after=n");
}

/// A project whose action `row` posts each of its numbers, one after the other.
fn row(peer: &Peer) -> Project {
    let project = open(peer, "");
    project.write(
        "actions/api/row.yaml",
        "action: row\nblueprint: api:v0\ndescription: Posts a row of numbers.\neffect: write\ninput: {type: object, properties: {n: {type: array, items: {type: integer}}}}\nsteps:\n  - {id: look, get: /look}\n  - {id: post, each: '{{input.n}}', as: n, concurrency: 1, post: /made, json: {n: '{{n}}'}}\noutput: {made: '{{steps.post.outputs}}'}\n",
    );
    project
}

fn run_row(project: &Project, length: usize) -> serde_json::Value {
    let input = json!({"n": (0..length).collect::<Vec<_>>()}).to_string();
    project
        .engine_with(&["run", "api", "row", "--input", "-", NET[0], NET[1]], &input)
        .ends(0)
        .json()
}

#[test]
fn no_post_is_lost_on_a_connection_that_was_closed_in_between() {
    // Closed behind each answer, without `Connection: close`.
    let peer = Peer::start(|_| raw(b"content-type: application/json\r\n", b"{}"));
    let project = row(&peer);
    let made = run_row(&project, 100);
    assert_eq!(made["made"].as_array().unwrap().len(), 100);
    assert_eq!(peer.count("/made"), 100);
}

#[test]
fn a_thousand_posts_in_a_row_open_two_connections() {
    let peer = Peer::start(|_| Answer::json(json!({})));
    let project = row(&peer);
    let made = run_row(&project, 1000);
    assert_eq!(made["made"].as_array().unwrap().len(), 1000);
    // One for the read before them, which has a client of its own.
    assert!(peer.opened() <= 3, "{} connections", peer.opened());
}

#[test]
#[cfg(target_os = "linux")]
fn large_bodies_pass_in_little_memory() {
    crate::support::large::pass_in_little_memory(100_000_000);
}

#[test]
fn standard_input_is_sent_as_it_is() {
    let peer = Peer::start(|seen| Answer::json(json!({"body": seen.body})));
    let project = open(&peer, "");
    let args = ["request", "api", NET[0], NET[1], "POST", "/x", "--body", "-"];
    let mut child = project.command(&args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a\n b").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"{\"body\":\"a\\n b\"}");
}
