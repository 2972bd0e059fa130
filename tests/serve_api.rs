//! What `engine serve` does for those who have a key, and for those who have none.

use std::{
    io::Write,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    api::NET,
    peer::{Answer, Peer},
    project::Project,
    server::{Serving, read, request, until},
};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// A vendor whose answers to `/things/slow` wait until they are let go.
#[derive(Default)]
struct Slow(Mutex<bool>, Condvar);

impl Slow {
    fn go(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self) {
        let held = self.0.lock().unwrap();
        drop(self.1.wait_timeout_while(held, PATIENCE, |go| !*go).unwrap());
    }
}

struct World {
    project: Project,
    peer: Peer,
    slow: Arc<Slow>,
}

fn world() -> World {
    let slow = Arc::new(Slow::default());
    let held = Arc::clone(&slow);
    let peer = Peer::start(move |seen| match seen.target.as_str() {
        "/things/slow" => {
            held.wait();
            Answer::json(json!({"id": "slow"}))
        }
        "/things/none" => Answer::status(404, json!({"message": "no such thing"})),
        "/things/broken" => Answer::status(500, json!({"message": "oh"})),
        target => Answer::json(json!({"at": target, "items": [], "method": seen.method})),
    });
    let project = Project::acme(&peer.url());
    project.add("acme", &json!({"api_key": "k-7"}));
    World { project, peer, slow }
}

fn serving(world: &World) -> Serving {
    Serving::begin(&world.project, &NET)
}

/// Makes a key.
fn key(project: &Project, args: &[&str]) -> Value {
    let create = [&["keys", "create", "--output", "json"], args].concat();
    project.engine(&create).ends(0).json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn an_action_is_run_over_http() {
    let world = world();
    let serving = serving(&world);
    let done = serving.ask("POST /actions/acme/read", r#"{"id": "7"}"#).is(200);
    assert_eq!(done.json(), json!({"at": "/things/7", "items": [], "method": "GET"}));
    let run = done.header("engine-run").unwrap().to_owned();
    let seen = world.peer.seen().pop().unwrap();
    assert_eq!(seen.header("x-api-key"), Some("k-7"));
    assert_eq!(seen.header("authorization"), None, "the caller's key goes no further");
    let record = serving.ask(&format!("GET /runs/{run}"), "").is(200).json();
    assert_eq!((text(&record["action"]), text(&record["status"])), ("read", "succeeded"));
    let attempts = serving.ask(&format!("GET /runs/{run}/attempts"), "").is(200).json();
    assert_eq!(attempts["attempts"].as_array().map(Vec::len), Some(1));
    let listed = serving.ask("GET /runs?action=read&limit=5", "").is(200).json();
    assert_eq!(listed["runs"][0]["id"], json!(run));
    // No body is an input without members.
    serving.ask("POST /actions/acme/read?connection=default", "").is(200);
    for (line, body, status, code) in [
        ("POST /actions/acme/read?connection=x", "", 404, "call.unknown-connection"),
        ("POST /actions/acme/nothing", "", 404, "call.unknown-action"),
        ("POST /actions/nothing/read", "", 404, "call.unknown-integration"),
        ("POST /actions/acme-oauth/read", "", 404, "call.no-connection"),
        ("POST /actions/acme/read", "{", 400, "invalid_json"),
        ("POST /actions/acme/read", r#"{"id": 7}"#, 400, "call.input-invalid"),
        ("POST /actions/acme/read?limit=1", "", 400, "invalid_query_params"),
        ("POST /actions/acme/read", r#"{"id": "none"}"#, 404, "not_found"),
        ("POST /actions/acme/read", r#"{"id": "broken"}"#, 502, "provider_error"),
        ("GET /runs/run_none", "", 404, "call.unknown-run"),
        ("GET /runs?status=odd", "", 400, "invalid_query_params"),
        ("GET /runs?limit=0", "", 400, "invalid_query_params"),
    ] {
        let answered = serving.ask(line, body);
        assert_eq!((answered.status, answered.code().as_str()), (status, code), "{line} {body}");
    }
    let failed = serving.ask("POST /actions/acme/read", r#"{"id": "none"}"#);
    assert_eq!(failed.json()["error"]["run"].as_str(), failed.header("engine-run"));
}

#[test]
fn nobody_is_let_in_without_a_good_key() {
    let world = world();
    let serving = serving(&world);
    let with = |field: &str| {
        let answered = serving.send("GET /status", &[("authorization", field)], "").is(401);
        assert_eq!(answered.header("www-authenticate"), Some("Bearer"));
        answered.code()
    };
    assert_eq!(serving.get("/status").is(401).code(), "missing_auth_header");
    assert_eq!(
        serving.get(&format!("/status?key={}", serving.key)).is(401).code(),
        "missing_auth_header"
    );
    assert_eq!(with("Basic abc"), "malformed_auth_header");
    assert_eq!(with("Bearer"), "malformed_auth_header");
    let good = serving.key.clone();
    serving.send("GET /status", &[("authorization", &format!("bearer {good}"))], "").is(200);
    // Ten are a slip; then who has none waits, and who has one is let in, from the same address.
    for _ in 0..10 {
        assert_eq!(with("Bearer engine_key_wrong"), "unknown_account");
    }
    let slowed = serving.ask_with("engine_key_wrong", "GET /status", "").is(429);
    assert!(slowed.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60);
    serving.ask("GET /status", "").is(200);
    let fresh = key(&world.project, &[]);
    serving.ask_with(text(&fresh["key"]), "GET /status", "").is(200);
    serving.ask("GET /status", "").is(200);
    let printed = serving.end().ends(0);
    assert!(!printed.stderr.contains(&good), "a key is in the log");
}

#[test]
fn a_key_is_made_shown_once_and_revoked() {
    let project = Project::new(&[("integrations.yaml", "")]);
    let made = key(&project, &["--name", "ci", "--expires", "90d", "--rate", "600/1m"]);
    assert!(text(&made["key"]).starts_with("engine_key_"));
    assert_eq!((&made["scopes"], &made["rate"]), (&json!(["*"]), &json!("600/1m")));
    assert!(made["expires_at"].is_string());
    let listed = project.engine(&["keys", "list", "--output", "json"]).ends(0);
    assert!(!listed.stdout.contains(text(&made["key"])) && listed.stdout.contains("\"ci\""));
    let file = std::fs::read(project.path(".engine/engine.db")).unwrap();
    let wal = std::fs::read(project.path(".engine/engine.db-wal")).unwrap_or_default();
    let stored = [file, wal].concat();
    assert!(!stored.windows(43).any(|part| part == &text(&made["key"]).as_bytes()[11..54]));
    for bad in [&["--scope", "environment:prox"][..], &["--rate", "600"], &["--expires", "soon"]] {
        project.engine(&[&["keys", "create"], bad].concat()).ends(2);
    }
    project.engine(&["keys", "revoke", "key_none"]).ends(2);
    project.write("first.key", text(&made["key"]));
    let serving = Serving::begin(&project, &[]);
    serving.ask("GET /status", "").is(200);
    // Two are good at the same time; then one is revoked, by another process.
    let other = serving.ask("POST /keys", r#"{"name": "other"}"#).is(201).json();
    let begun = Instant::now();
    project.engine(&["keys", "revoke", text(&made["id"])]).ends(0);
    until("it is refused", || serving.ask("GET /status", "").status == 401);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let ask = |line: &str| serving.ask_with(text(&other["key"]), line, "");
    let revoked = ask(&format!("DELETE /keys/{}", text(&other["id"]))).is(200).json();
    assert!(revoked["revoked_at"].is_string());
    until("its own key, too", || ask("GET /status").status == 401);
    let acts = project.engine(&["audit", "--output", "json"]).ends(0).json();
    let said: Vec<_> = acts.as_array().unwrap().iter().map(|act| text(&act["what"])).collect();
    assert_eq!(said, ["key.revoked", "key.revoked", "key.created", "key.created"]);
    assert_eq!(acts[0]["who"], other["id"]);
    assert_eq!(
        (&acts[0]["source"], &acts[1]["who"]),
        (&json!("127.0.0.1"), &json!("command line"))
    );
}

#[test]
fn a_narrow_key_does_and_sees_less() {
    let world = world();
    world.project.add("acme-oauth", &json!({"access_token": "t", "expires_in": 3600}));
    let narrow = |args: &[&str]| text(&key(&world.project, args)["key"]).to_owned();
    let scoped = narrow(&["--scope", "environment:logs:read"]);
    let some = narrow(&["--integration", "acme-*", "--action", "re*"]);
    let reader = narrow(&["--read-only"]);
    let person = narrow(&["--end-user", "u-1"]);
    let serving = serving(&world);
    let asked = |key: &str, line: &str| {
        let answered = serving.ask_with(key, line, "");
        let code = if answered.status < 300 { String::new() } else { answered.code() };
        (answered.status, code)
    };
    let ok = |status| (status, String::new());
    let no = |status, code: &str| (status, code.to_owned());
    assert_eq!(asked(&scoped, "GET /runs"), ok(200));
    assert_eq!(asked(&scoped, "POST /actions/acme/read"), no(403, "forbidden"));
    assert_eq!(asked(&scoped, "POST /keys"), no(403, "forbidden"));
    assert_eq!(asked(&some, "POST /actions/acme/read"), no(404, "call.unknown-integration"));
    assert_eq!(asked(&some, "POST /actions/acme-oauth/read"), ok(200));
    assert_eq!(asked(&some, "POST /actions/acme-oauth/make"), no(403, "forbidden"));
    assert_eq!(asked(&some, "GET /keys"), no(403, "forbidden"));
    assert_eq!(asked(&some, "GET /audit"), no(403, "forbidden"));
    assert_eq!(asked(&reader, "POST /actions/acme/make"), no(403, "forbidden"));
    assert_eq!(asked(&reader, "POST /actions/acme/list"), ok(200));
    assert_eq!(asked(&reader, "POST /keys"), no(403, "forbidden"));
    let more = serving.ask_with(&reader, "POST /keys", r#"{"read_only": true}"#);
    assert_eq!((more.status, more.code().as_str()), (403, "forbidden"));
    let keys = serving.ask_with(&reader, "GET /keys", "").is(200).json();
    for one in keys["keys"].as_array().unwrap() {
        let revoke = format!("DELETE /keys/{}", text(&one["id"]));
        assert_eq!(asked(&reader, &revoke), no(403, "forbidden"));
    }
    assert_eq!(asked(&some, "GET /status"), no(403, "forbidden"));
    assert_eq!(asked(&person, "GET /status"), no(403, "forbidden"));
    assert_eq!(asked(&person, "POST /actions/acme/read"), no(404, "call.no-connection"));
    let foreign = asked(&person, "POST /actions/acme/read?connection=default");
    assert_eq!(foreign, no(404, "call.unknown-connection"));
    // What others did is not there.
    let runs = |key: &str| {
        let listed = serving.ask_with(key, "GET /runs", "").is(200).json();
        let runs = listed["runs"].as_array().unwrap().clone();
        runs.iter().map(|run| text(&run["integration"]).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(runs(&some), ["acme-oauth"]);
    assert_eq!(runs(&person), [""; 0]);
    assert_eq!(runs(&serving.key), ["acme", "acme-oauth"]);
    let all = serving.ask("GET /runs?integration=acme", "").json();
    let hidden = format!("GET /runs/{}", text(&all["runs"][0]["id"]));
    assert_eq!(asked(&some, &hidden), no(404, "call.unknown-run"));
    assert_eq!(asked(&serving.key, &hidden), ok(200));
}

#[test]
fn a_key_has_its_own_limits() {
    let world = world();
    let fast = key(&world.project, &["--rate", "2/1h"]);
    let one = key(&world.project, &["--concurrency", "1"]);
    let serving = serving(&world);
    let status = |key: &Value| serving.ask_with(text(&key["key"]), "GET /status", "");
    // All at once, before it is held: its rate is there once.
    let all: Vec<u16> = std::thread::scope(|scope| {
        let ask = || status(&fast).status;
        let asked: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 2, "{all:?}");
    let refused = status(&fast).is(429);
    assert_eq!(refused.code(), "too_many_request");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 1000);
    let bearer = format!("Bearer {}", text(&one["key"]));
    let fields = [("authorization", bearer.as_str())];
    let mut held = serving.connect();
    let slow = request("POST /actions/acme/read", &fields, r#"{"id": "slow"}"#);
    held.write_all(slow.as_bytes()).unwrap();
    until("the vendor is asked", || world.peer.count("/things/slow") == 1);
    assert_eq!(status(&one).is(429).header("retry-after"), Some("1"));
    world.slow.go();
    assert_eq!(read(held).status, 200);
    until("its place is free again", || status(&one).status == 200);
}

#[test]
fn a_client_that_hangs_up_stops_its_run() {
    let world = world();
    let serving = serving(&world);
    let bearer = format!("Bearer {}", serving.key);
    let mut left = serving.connect();
    let slow =
        request("POST /actions/acme/read", &[("authorization", &bearer)], r#"{"id": "slow"}"#);
    left.write_all(slow.as_bytes()).unwrap();
    until("the vendor is asked", || world.peer.count("/things/slow") == 1);
    drop(left);
    let last = || serving.ask("GET /runs", "").is(200).json()["runs"][0].clone();
    until("the run is over", || last()["status"] == "cancelled");
    assert_eq!(last()["attempts"], 1);
    // A deadline ends it, too, and is told which run it was.
    let fields = [("authorization", bearer.as_str()), ("engine-timeout", "100ms")];
    let late = serving.send("POST /actions/acme/read", &fields, r#"{"id": "slow"}"#).is(504);
    let run = late.header("engine-run").unwrap();
    assert_eq!((late.code().as_str(), &late.json()["error"]["run"]), ("timeout", &json!(run)));
    let record = serving.ask(&format!("GET /runs/{run}"), "").is(200).json();
    assert_eq!(record["status"], "failed");
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1));
    let made = serving.send("POST /actions/acme/make", &fields, r#"{"id": "slow"}"#);
    assert!(made.status != 504 || made.json()["error"]["maybe_executed"] == true, "{made:?}");
    let fields = [("authorization", bearer.as_str()), ("engine-timeout", "soon")];
    let odd = serving.send("POST /actions/acme/read", &fields, "").is(400);
    assert_eq!(odd.code(), "invalid_headers");
    world.slow.go();
}

/// A client that went away asks again with the same key, for which it has one.
#[test]
fn a_run_under_a_key_outlives_its_client() {
    let world = world();
    let serving = serving(&world);
    let bearer = format!("Bearer {}", serving.key);
    let fields = [("authorization", bearer.as_str()), ("idempotency-key", "order-7")];
    let (line, body) = ("POST /actions/acme/read", r#"{"id": "slow"}"#);
    let mut left = serving.connect();
    left.write_all(request(line, &fields, body).as_bytes()).unwrap();
    until("the vendor is asked", || world.peer.count("/things/slow") == 1);
    drop(left);
    let running = serving.send(line, &fields, body).is(409);
    assert_eq!(running.code(), "call.idempotency-running");
    world.slow.go();
    until("its result is kept", || serving.send(line, &fields, body).status == 200);
    let again = serving.send(line, &fields, body).is(200);
    assert_eq!(again.json()["id"], "slow");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(world.peer.count("/things/slow"), 1);
}

#[test]
fn errors_name_no_connections_to_keys_that_may_not_list_them() {
    let world = world();
    let blind = key(&world.project, &["--scope", "environment:actions:execute"]);
    let serving = serving(&world);
    let line = "POST /actions/acme/read?connection=none";
    let told = serving.ask_with(text(&blind["key"]), line, "").is(404);
    assert!(!told.body.contains("default"), "{}", told.body);
    assert!(serving.ask(line, "").is(404).body.contains("default"));
}

#[test]
fn what_is_under_way_is_finished_before_the_end() {
    let world = world();
    let serving = serving(&world);
    let bearer = format!("Bearer {}", serving.key);
    let mut under_way = serving.connect();
    let slow =
        request("POST /actions/acme/read", &[("authorization", &bearer)], r#"{"id": "slow"}"#);
    under_way.write_all(slow.as_bytes()).unwrap();
    until("the vendor is asked", || world.peer.count("/things/slow") == 1);
    serving.signal(rustix::process::Signal::TERM);
    let address = serving.address;
    until("nobody is taken", || std::net::TcpStream::connect(address).is_err());
    world.slow.go();
    let done = read(under_way);
    assert_eq!((done.status, &done.json()["id"]), (200, &json!("slow")));
    serving.ended().ends(0);
}

#[test]
fn edited_files_are_taken_over_and_broken_ones_are_not() {
    let world = world();
    let serving = serving(&world);
    let read = || serving.ask("POST /actions/acme/read", "");
    let file = "actions/acme/read.yaml";
    let before = std::fs::read_to_string(world.project.path(file)).unwrap();
    let after = before.replace("/things/", "/others/");
    read().is(200);
    world.project.write(file, &after);
    until("the edit is in use", || read().is(200).json()["at"] == "/others/1");
    let good = std::fs::read_to_string(world.project.path("integrations.yaml")).unwrap();
    world.project.write("integrations.yaml", "integrations: [");
    let config = || serving.get("/ready").is(200).json()["config"].clone();
    until("the fault is told", || config() == "stale");
    assert_eq!(read().is(200).json()["at"], "/others/1", "what worked goes on");
    let status = serving.ask("GET /status", "").is(200).json();
    assert!(text(&status["problems"][0]).starts_with("integrations.yaml: "), "{status}");
    // An editor's way: another file is put in its place.
    world.project.write(".integrations.yaml.swp", &good);
    let place = world.project.path("integrations.yaml");
    std::fs::rename(world.project.path(".integrations.yaml.swp"), place).unwrap();
    until("it is mended", || config() == "current");
    world.project.write("actions/acme/new.yaml", &before.replace("action: read", "action: new"));
    until("a new action is there", || serving.ask("POST /actions/acme/new", "").status == 200);
    let said = serving.end().ends(0).stderr;
    assert!(said.contains("the files are not sound"), "{said}");
}
