//! `engine serve`, over loopback: what goes for every request, and how it stops.

use std::io::Write;

use engine::model::http::Method;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    project::Project,
    server::{Serving, read},
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
