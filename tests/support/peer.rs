//! A real HTTP server on loopback that answers as a closure says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// A request as the peer saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET`
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Seen {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What the peer does with a request.
pub enum Answer {
    /// Status, extra headers, body.
    Send(u16, Vec<(&'static str, String)>, String),
    /// Closes the connection without a word.
    HangUp,
    /// These bytes as they are, then closes.
    Raw(Vec<u8>),
}

impl Answer {
    /// 200 with JSON.
    pub fn json(value: serde_json::Value) -> Self {
        Self::status(200, value)
    }

    /// A status with JSON.
    pub fn status(status: u16, value: serde_json::Value) -> Self {
        Self::Send(status, vec![("content-type", "application/json".into())], value.to_string())
    }
}

/// The server; stops when it is dropped.
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
}

impl Peer {
    /// Starts it on a free port.
    pub fn start(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let (log, halt, answer) = (Arc::clone(&seen), Arc::clone(&stop), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if halt.load(Ordering::Relaxed) {
                    return;
                }
                count.fetch_add(1, Ordering::Relaxed);
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Self { address, seen, stop, opened }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were made to it.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests went to targets that begin so.
    pub fn count(&self, target: &str) -> usize {
        self.seen().iter().filter(|seen| seen.target.starts_with(target)).count()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen) -> Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(seen) = read(&mut reader) {
        log.lock().unwrap().push(seen.clone());
        match answer(&seen) {
            Answer::HangUp => return,
            Answer::Raw(bytes) => {
                drop(writer.write_all(&bytes));
                return;
            }
            Answer::Send(status, headers, body) => {
                let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("\r\n");
                text.push_str(&body);
                if writer.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut parts = line.split_whitespace();
    let (method, target) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, v)| v.parse().unwrap_or(0))];
    reader.read_exact(&mut body).ok()?;
    // What is left unread resets the connection when it is closed, and takes the answer with it.
    if headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked") {
        body = chunks(reader)?;
    }
    Some(Seen { method, target, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A body in chunks without trailers (RFC 9112, section 7.1).
fn chunks(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
