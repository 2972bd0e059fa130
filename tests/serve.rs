//! `engine serve`, over loopback: what goes for every request, and how it stops.

use std::{io::Write, os::unix::fs::PermissionsExt};

use engine::model::http::Method;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    browser::Browser,
    project::Project,
    server::{Serving, read},
    signing::SigningIn,
};

#[test]
fn it_lives_and_is_ready_and_tells_no_more() {
    let project = Project::new(&[]);
    let serving = Serving::begin(&project, &[]);
    for (path, said) in [
        ("/health", json!({"result": "ok"})),
        ("/health/", json!({"result": "ok"})),
        ("/ready", json!({"result": "ok", "config": "current"})),
    ] {
        let answered = serving.get(path).is(200);
        assert_eq!(answered.json(), said, "{path}");
        assert_eq!(answered.header("content-type"), Some("application/json"));
    }
    let head = serving.send("HEAD /health", &[], "").is(200);
    assert_eq!(head.body, "");
}

#[test]
fn what_is_not_there_is_said_in_one_envelope() {
    let serving = Serving::begin(&Project::new(&[]), &[]);
    for (line, status, code) in [
        ("GET /", 404, "not_found"),
        ("GET /nothing?x=1", 404, "not_found"),
        ("GET /health/x", 404, "not_found"),
        ("POST /health", 405, "method_not_allowed"),
        ("TRACE /health", 405, "method_not_allowed"),
        ("CONNECT example.com:443", 405, "method_not_allowed"),
        ("OPTIONS *", 404, "not_found"),
    ] {
        let answered = serving.send(line, &[], "").is(status);
        assert_eq!(answered.code(), code, "{line}");
    }
    let refused = serving.send("DELETE /ready", &[], "");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
}

#[test]
fn a_request_has_an_id() {
    let serving = Serving::begin(&Project::new(&[]), &[]);
    let given = serving.send("GET /health", &[("x-request-id", "mine-7")], "");
    assert_eq!(given.header("x-request-id"), Some("mine-7"));
    let made = serving.send("GET /nothing", &[("x-request-id", "not fit")], "").is(404);
    assert_eq!(made.header("x-request-id").map(str::len), Some(32));
    let printed = serving.end().ends(0);
    let line = printed.stderr.lines().find(|line| line.contains("mine-7")).unwrap();
    assert!(line.contains("status=200") && line.contains("/health"), "{line}");
}

#[test]
fn it_stands_below_a_path() {
    let serving = Serving::begin(&Project::new(&[]), &["--base-path", "/engine/"]);
    serving.get("/engine/health").is(200);
    for path in ["/health", "/engine", "/enginehealth"] {
        serving.get(path).is(404);
    }
}

#[test]
fn http_2_is_spoken_without_tls() {
    let serving = Serving::begin(&Project::new(&[]), &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(serving.address).await.unwrap();
        let http =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut client, connection) = http.await.unwrap();
        tokio::spawn(connection);
        for (path, status) in [("/health", 200), ("/nothing", 404), ("/ready", 200)] {
            let request = hyper::Request::builder()
                .method(Method::GET)
                .uri(format!("http://engine.test{path}"))
                .body(Empty::<bytes::Bytes>::new());
            let answer = client.send_request(request.unwrap()).await.unwrap();
            assert_eq!(answer.status(), status);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(body.starts_with(b"{\""), "{body:?}");
        }
    });
    serving.end().ends(0);
}

/// A client that asks and takes no answer (RFC 9113, section 6.9.2) holds up nobody else.
#[test]
fn answers_that_are_not_taken_hold_no_place() {
    let args = ["--max-requests", "4", "--idle-timeout", "300ms"];
    let serving = Serving::begin(&Project::new(&[]), &args);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(serving.address).await.unwrap();
        let mut http = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let http = http.initial_stream_window_size(0).handshake(TokioIo::new(stream));
        let (mut client, connection) = http.await.unwrap();
        let ended = tokio::spawn(connection);
        let mut answers = Vec::new();
        for _ in 0..20 {
            let request = hyper::Request::builder()
                .uri("http://engine.test/status")
                .body(Empty::<bytes::Bytes>::new());
            let answer = client.send_request(request.unwrap()).await.unwrap();
            assert_eq!(answer.status(), 401);
            answers.push(answer);
        }
        let address = serving.address;
        let asked = tokio::task::spawn_blocking(move || {
            use std::io::Read;
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let request = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        assert!(asked.await.unwrap().starts_with("HTTP/1.1 200"));
        // It takes nothing for as long as a client may be idle.
        let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await;
        drop(answers);
        assert!(ended.is_ok(), "the connection is ended");
    });
}

#[test]
fn connections_have_limits() {
    let args = ["--max-connections", "1", "--header-timeout", "100ms", "--idle-timeout", "100ms"];
    let serving = Serving::begin(&Project::new(&[]), &args);
    // Half a head, and then nothing; while it is held there is no other place.
    let mut slow = serving.connect();
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n").unwrap();
    assert_eq!(read(slow).status, 0, "closed without an answer");
    // Kept, and closed when nothing more is asked.
    let mut idle = serving.connect();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(read(idle).status, 200);
    let _held = serving.connect();
    let busy = (0..100).map(|_| read(serving.connect())).find(|answer| answer.status == 503);
    assert_eq!(busy.unwrap().header("retry-after"), Some("1"));
}

#[test]
fn a_signal_ends_it_in_order() {
    let serving = Serving::begin(&Project::new(&[]), &[]);
    let mut kept = serving.connect();
    kept.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut begun = serving.connect();
    begun.write_all(b"GET /hea").unwrap();
    serving.signal(Signal::INT);
    serving.ended().ends(0);
    assert_eq!(read(kept).status, 200);
}

#[test]
fn a_server_that_cannot_work_does_not_start() {
    let project = Project::new(&[]);
    project.engine(&["keys", "create"]).ends(0);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = project.engine(&["serve", "--listen", &address]).ends(3);
    assert!(refused.stderr.contains(&format!("cannot listen on {address}")), "{}", refused.stderr);
    project.engine(&["serve", "--listen", "127.0.0.1:0", "--base-path", "x y"]).ends(2);
    project.write("broken.db", "no database");
    let broken = ["serve", "--listen", "127.0.0.1:0", "--store", "broken.db"];
    project.engine(&broken).ends(3);
}

#[test]
fn figures_are_there_for_prometheus() {
    let serving = Serving::begin(&Project::new(&[]), &[]);
    serving.get("/nothing").is(404);
    serving.get("/metrics").is(401);
    let told = serving.ask("GET /metrics", "").is(200);
    assert_eq!(told.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "engine_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1",
        "engine_requests_total{route=\"/metrics\",method=\"GET\",status=\"401\"} 1",
        "engine_config_stale 0",
    ] {
        assert!(told.body.lines().any(|found| found == line), "{line}\n{}", told.body);
    }
}

#[test]
fn a_server_makes_its_first_key_where_somebody_finds_it() {
    let project = Project::new(&[]);
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let refused = project.engine(&listen).ends(2);
    assert!(refused.stderr.contains("engine keys create"), "{}", refused.stderr);
    assert!(!project.path("first.key").exists());
    let serving = Serving::begin(&project, &[]);
    let mode = project.path("first.key").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    serving.ask("GET /status", "").is(200);
    serving.end().ends(0);
    // It is there: another start makes none.
    let again = Serving::begin(&project, &[]);
    let keys = again.ask("GET /keys", "").is(200).json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(keys["keys"][0]["name"], "first");
}

#[test]
fn a_server_takes_the_callback_of_a_sign_in() {
    let project = Project::new(&[]);
    let serving = Serving::begin(&project, &[]);
    let args = ["connect", "ms-teams", "--sandbox", "--port", "0"];
    let mut signing = SigningIn::begin(&project, &args);
    let url = signing.line("/authorize?");
    let mut browser = Browser::default();
    let back = browser.post_until(&url, "decision=allow", |url| url.contains("/oauth/callback?"));
    let query = url::Url::parse(&back.url).unwrap().query().unwrap().to_owned();
    let page = serving.get(&format!("/oauth/callback?{query}")).is(200);
    assert!(page.body.contains("signed in as Adele Vance"), "{}", page.body);
    assert!(page.header("content-security-policy").is_some());
    let connected = signing.end().ends(0).json();
    assert_eq!(connected["account_name"], "Adele Vance");
    let again = serving.get(&format!("/oauth/callback?{query}")).is(400);
    assert!(again.body.contains("used already"), "{}", again.body);
    serving.get("/oauth/callback").is(400);
    let status = serving.ask("GET /status", "").is(200).json();
    assert_eq!((&status["connections"], &status["environment"]), (&json!(1), &json!("default")));
}
