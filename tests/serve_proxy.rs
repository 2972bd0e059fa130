//! The proxy of `engine serve`: byte by byte, in both directions.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use serde_json::json;

use crate::support::{
    api::NET,
    peer::{Answer, Peer, Seen},
    project::Project,
    server::{Answered, Serving, read, request, until},
};

fn vendor(seen: &Seen) -> Answer {
    match seen.target.as_str() {
        "/gone" => Answer::Send(404, vec![("x-why", "gone".into())], "<no>such thing</no>".into()),
        "/away" => {
            let to = "https://elsewhere.test/x".to_owned();
            Answer::Send(302, vec![("location", to)], String::new())
        }
        "/zipped" => {
            let fields = vec![
                ("content-encoding", "br".into()),
                ("x-hop", "1".into()),
                ("connection", "x-hop".into()),
            ];
            Answer::Send(200, fields, "not decoded".into())
        }
        "/empty" => Answer::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        "/same" => {
            let fields = "location: https://elsewhere.test/\r\netag: x\r\n";
            Answer::Raw(format!("HTTP/1.1 304 Not Modified\r\n{fields}\r\n").into_bytes())
        }
        "/choices" => {
            let to = "https://elsewhere.test/x".to_owned();
            Answer::Send(300, vec![("location", to)], String::new())
        }
        "/ambiguous" => {
            let fields = "content-length: 2\r\ntransfer-encoding: chunked\r\n";
            let body = "5\r\nwhole\r\n0\r\n\r\n";
            Answer::Raw(format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}").into_bytes())
        }
        "/later" => Answer::Send(429, vec![("retry-after", "7".into())], "slow down".into()),
        "/refused" => Answer::Send(401, vec![("x-why", "token".into())], "no".into()),
        "/broken" => Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
        target => Answer::json(json!({"at": target, "by": seen.method, "body": seen.body})),
    }
}

struct World {
    _project: Project,
    peer: Peer,
    serving: Serving,
}

impl World {
    fn new(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let peer = Peer::start(answer);
        let project = Project::acme(&peer.url());
        project.add("acme", &json!({"api_key": "k-7"}));
        let serving = Serving::begin(&project, &NET);
        Self { _project: project, peer, serving }
    }

    fn fields(&self, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let key = format!("Bearer {}", self.serving.key);
        let own = [
            ("authorization", key),
            ("provider-config-key", "acme".to_owned()),
            ("connection-id", "default".to_owned()),
        ];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        own.into_iter()
            .filter(|(name, _)| !more.clone().any(|(n, _)| n == *name))
            .chain(more.clone())
            .collect()
    }

    fn ask(&self, line: &str, more: &[(&'static str, &str)], body: &str) -> Answered {
        let fields = self.fields(more);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.serving.send(line, &fields, body)
    }
}

#[test]
fn requests_go_up_with_the_credentials_of_the_connection() {
    let world = World::new(vendor);
    let more = [("nango-proxy-x-mine", "1"), ("cookie", "a=b"), ("base-url-override", "")];
    let got = world.ask("GET /proxy/a%2Fb/c?x=%FF&y=a+b", &more, "").is(200);
    assert_eq!(got.json()["at"], "/a%2Fb/c?x=%FF&y=a+b");
    let seen = world.peer.seen().pop().unwrap();
    assert_eq!(seen.header("x-api-key"), Some("k-7"));
    assert_eq!(seen.header("x-mine"), Some("1"));
    for kept in ["authorization", "cookie", "connection-id", "provider-config-key"] {
        assert_eq!(seen.header(kept), None, "{kept}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        let body = format!("{{\"by\": \"{method}\"}}");
        let line = format!("{method} /proxy/things");
        let got = world.ask(&line, &[("content-type", "application/json")], &body).is(200).json();
        assert_eq!((&got["by"], &got["body"]), (&json!(method), &json!(body)));
        let seen = world.peer.seen().pop().unwrap();
        assert_eq!(seen.header("content-type"), Some("application/json"));
    }
    let next = format!("GET /proxy/{}/things?cursor=2", world.peer.url());
    assert_eq!(world.ask(&next, &[], "").is(200).json()["at"], "/things?cursor=2");
    let runs = world.serving.ask("GET /runs?action=request", "").is(200).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(7));
}

#[test]
fn answers_come_back_as_they_are() {
    let world = World::new(vendor);
    let gone = world.ask("GET /proxy/gone", &[], "").is(404);
    assert_eq!((gone.body.as_str(), gone.header("x-why")), ("<no>such thing</no>", Some("gone")));
    let more = [("nango-proxy-accept-encoding", "br")];
    let zipped = world.ask("GET /proxy/zipped", &more, "").is(200);
    assert_eq!(
        (zipped.body.as_str(), zipped.header("content-encoding")),
        ("not decoded", Some("br"))
    );
    assert_eq!(zipped.header("x-hop"), None);
    let away = world.ask("POST /proxy/away", &[], "x").is(502);
    assert_eq!(away.code(), "redirect_refused");
    assert!(away.body.contains("elsewhere.test") && away.header("location").is_none());
    let choices = world.ask("GET /proxy/choices", &[], "").is(502);
    assert_eq!(choices.code(), "redirect_refused");
    let same = world.ask("GET /proxy/same", &[], "").is(304);
    assert_eq!((same.header("etag"), same.header("location")), (Some("x"), None));
    let whole = world.ask("GET /proxy/ambiguous", &[], "").is(200);
    assert!(whole.header("content-length").is_none() && whole.body.contains("whole"), "{whole:?}");
    let head = world.ask("HEAD /proxy/things", &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

/// A large body passes once: the answer that came is the one there is.
#[test]
fn an_upload_that_cannot_be_sent_again_gets_the_answer_that_came() {
    let world = World::new(vendor);
    let large = "x".repeat(200_000);
    let refused = world.ask("PUT /proxy/refused", &[], &large).is(401);
    assert_eq!((refused.body.as_str(), refused.header("x-why")), ("no", Some("token")));
    let later = world.ask("POST /proxy/later", &[], &large).is(429);
    assert_eq!((later.body.as_str(), later.header("retry-after")), ("slow down", Some("7")));
    assert_eq!((world.peer.count("/later"), world.peer.count("/refused")), (1, 1));
}

/// Whoever takes an answer over HTTP/1.1 reads as far as its length, and not to the end of its run.
#[test]
fn a_run_whose_answer_was_taken_whole_is_recorded_as_it_ended() {
    let world = World::new(vendor);
    for (line, answer, status) in [
        ("GET /proxy/things", 200, "succeeded"),
        ("POST /proxy/things", 200, "succeeded"),
        ("HEAD /proxy/things", 200, "succeeded"),
        ("DELETE /proxy/empty", 204, "succeeded"),
        ("GET /proxy/gone", 404, "failed"),
        ("GET /proxy/ambiguous", 200, "succeeded"),
        ("GET /proxy/broken", 200, "failed"),
    ] {
        world.ask(line, &[], "").is(answer);
        let last = || world.serving.ask("GET /runs?limit=1", "").is(200).json()["runs"][0].clone();
        until(line, || last()["status"] != "running");
        let run = last();
        assert_eq!(run["status"], status, "{line} {run}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_before() {
    let world = World::new(vendor);
    let evil = "https://evil.test/x";
    for (line, more, status, code) in [
        ("GET /proxy/x", ("connection-id", ""), 400, "invalid_headers"),
        ("GET /proxy/x", ("provider-config-key", ""), 400, "invalid_headers"),
        ("GET /proxy/x", ("provider-config-key", "none"), 404, "call.unknown-integration"),
        ("GET /proxy/x", ("connection-id", "none"), 404, "call.unknown-connection"),
        ("GET /proxy/x", ("base-url-override", evil), 400, "base_url_override_not_allowed"),
        ("GET /proxy/https://evil.test/x", ("x-a", "1"), 400, "base_url_override_not_allowed"),
        ("GET /proxy/a/../b", ("x-a", "1"), 400, "call.bad-path"),
        ("GET /proxy/x", ("authorization", "Bearer x"), 401, "unknown_account"),
        ("GET /proxy/x", ("engine-timeout", "x"), 400, "invalid_headers"),
    ] {
        let answered = world.ask(line, &[more], "");
        assert_eq!((answered.status, answered.code().as_str()), (status, code), "{line} {more:?}");
    }
    assert!(world.peer.seen().is_empty());
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let world = World::new(vendor);
    let half = world.ask("GET /proxy/broken", &[], "");
    assert_eq!((half.status, half.body.as_str()), (200, "half"));
    assert_eq!(half.header("content-length"), Some("100"), "less came than was promised");
}

/// A vendor that takes and gives a hundred megabytes; the server's memory stays small.
#[test]
fn large_bodies_pass_through_in_constant_memory() {
    const SIZE: usize = 100 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let vendor = std::thread::spawn(move || {
        let mut taken = 0;
        for _ in 0..2 {
            let mut stream = listener.accept().unwrap().0;
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            if head.starts_with("post") {
                let mut piece = vec![0; 1 << 16];
                let mut last = Vec::new();
                while !last.ends_with(b"0\r\n\r\n") && taken < SIZE {
                    let read = stream.read(&mut piece).unwrap();
                    taken += read;
                    last = piece[..read].to_vec();
                }
                stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
            } else {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {SIZE}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).unwrap();
                let piece = vec![b'x'; 1 << 16];
                for _ in 0..SIZE >> 16 {
                    stream.write_all(&piece).unwrap();
                }
            }
        }
        taken
    });
    let project = Project::acme(&url);
    project.add("acme", &json!({"api_key": "k-7"}));
    let serving = Serving::begin(&project, &NET);
    let world = World { _project: project, peer: Peer::start(|_| Answer::HangUp), serving };
    let fields = world.fields(&[]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let peak = || world.serving.peak_memory();
    let before = peak();
    let mut down = world.serving.connect();
    down.write_all(request("GET /proxy/large", &fields, "").as_bytes()).unwrap();
    let mut all = 0;
    let mut piece = vec![0; 1 << 16];
    loop {
        match down.read(&mut piece).unwrap() {
            0 => break,
            read => all += read,
        }
    }
    assert!(all > SIZE, "{all}");
    let mut up = world.serving.connect();
    let length = SIZE.to_string();
    let with_length: Vec<_> =
        fields.iter().copied().chain([("content-length", &*length)]).collect();
    up.write_all(request("POST /proxy/large", &with_length, "").as_bytes()).unwrap();
    let piece = vec![b'y'; 1 << 16];
    for _ in 0..SIZE >> 16 {
        up.write_all(&piece).unwrap();
    }
    assert_eq!(read(up).status, 204);
    assert!(vendor.join().unwrap() >= SIZE);
    let grown = peak().saturating_sub(before);
    assert!(grown < SIZE / 2, "{grown} bytes more");
}
