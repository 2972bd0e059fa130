//! `engine serve`, and a client that speaks to it byte by byte.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::project::{Printed, Project, printed};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that serves; killed when it is dropped.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    /// The first key of its store.
    pub key: String,
    child: Option<Child>,
    /// What it says on standard error: read at once, as a full pipe holds up who writes into it.
    log: Option<JoinHandle<String>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The head.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answered {
    /// The first value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Fails unless the status is this.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Serving {
    /// Begins, on a free port.
    pub fn begin(project: &Project, args: &[&str]) -> Self {
        let file = ["--initial-key-file", "first.key"];
        let serve = ["serve", "--listen", "127.0.0.1:0", "--output", "ndjson", file[0], file[1]];
        let all: Vec<&str> = serve.iter().chain(args).copied().collect();
        let mut child = project.command(&all).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let address = first_line(&mut child);
        let line: Value = serde_json::from_str(&address).unwrap_or_default();
        let Some(url) = line["listening"][0].as_str() else {
            panic!("{address}{:?} {}", printed(child), log.join().unwrap());
        };
        let address = url.trim_start_matches("http://").parse().unwrap();
        // Written by the server, unless the store has keys already.
        let key = std::fs::read_to_string(project.path(file[1])).unwrap_or_else(|_| {
            let made = project.engine(&["keys", "create", "--output", "json"]).ends(0).json();
            made["key"].as_str().unwrap().to_owned()
        });
        Self { address, key: key.trim().to_owned(), child: Some(child), log: Some(log) }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
    }

    /// Asks it to end with SIGTERM, and waits.
    pub fn end(self) -> Printed {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Printed {
        let ended = printed(self.child.take().unwrap());
        Printed { stderr: self.log.take().unwrap().join().unwrap(), ..ended }
    }

    /// The most memory that it ever had, in bytes (`VmHWM` of `proc_pid_status(5)`).
    pub fn peak_memory(&self) -> usize {
        let id = self.child.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// A connection to it.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// GET without a key.
    pub fn get(&self, path: &str) -> Answered {
        self.send(&format!("GET {path}"), &[], "")
    }

    /// Sends one request with the first key.
    pub fn ask(&self, line: &str, body: &str) -> Answered {
        self.ask_with(&self.key, line, body)
    }

    /// The same with another one.
    pub fn ask_with(&self, key: &str, line: &str, body: &str) -> Answered {
        self.send(line, &[("authorization", &format!("Bearer {key}"))], body)
    }

    /// Sends one request: `GET /health`, further fields, a body.
    pub fn send(&self, line: &str, fields: &[(&str, &str)], body: &str) -> Answered {
        let mut stream = self.connect();
        stream.write_all(request(line, fields, body).as_bytes()).unwrap();
        read(stream)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Asks until it is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        // Each look is a request: on a busy machine they would hold up what is waited for.
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// A request after which the connection is closed.
pub fn request(line: &str, fields: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\nhost: engine.test\r\nconnection: close\r\n");
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}

/// Reads an answer until the connection is closed.
pub fn read(mut stream: TcpStream) -> Answered {
    let mut bytes = Vec::new();
    // A server that does not want the rest of a body may reset the connection.
    let _reset = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    Answered { status, head: head.replace("\r\n", "\n"), body: body.to_owned() }
}

/// The first line of standard output; what follows is dropped.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let mut out: BufReader<&mut ChildStdout> = BufReader::new(child.stdout.as_mut().unwrap());
    out.read_line(&mut line).unwrap();
    line
}
