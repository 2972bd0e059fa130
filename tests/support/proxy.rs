//! A proxy on loopback that makes tunnels (`CONNECT`).

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// A target, and the `Proxy-Authorization` with which it was asked for.
pub type Asked = (String, Option<String>);

/// See the module; stops when it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts one that answers with this status; with 200 it makes the tunnel.
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, halt) = (Arc::clone(&seen), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if halt.load(Ordering::Relaxed) {
                    return;
                }
                let log = Arc::clone(&log);
                std::thread::spawn(move || drop(serve(stream, &log, status)));
            }
        });
        Self { address, seen, stop }
    }

    /// What it was asked for.
    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>, status: u16) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let target = line.strip_prefix("CONNECT ").and_then(|line| line.split(' ').next());
    let target = target.unwrap_or("no tunnel").to_owned();
    let mut authorization = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("proxy-authorization") {
            authorization = Some(value.to_owned());
        }
    }
    log.lock().unwrap().push((target.clone(), authorization));
    if status != 200 {
        return write!(stream, "HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
    }
    let server = TcpStream::connect(target.replace("localhost", "127.0.0.1"))?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (up, down) = ((stream.try_clone()?, server.try_clone()?), (server, stream));
    let back = std::thread::spawn(move || copy(down));
    copy(up);
    let _ended = back.join();
    Ok(())
}

/// Until one of the two ends.
fn copy((mut from, mut to): (TcpStream, TcpStream)) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(buffer.get(..read).unwrap()).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Write);
}
