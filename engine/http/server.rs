//! Listens, takes connections as far as there is place, and stops in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout_at},
};

pub use crate::http::connection::Handler;
use crate::http::{
    connection::{Connection, Shared},
    limits::Limits,
    requests::Requests,
};

/// What is written to a connection for which there is no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";
/// Before the system is asked again that had nothing to give.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until it is dropped or stopped: it takes no more connections then, and requests under way
/// come to their end.
pub struct Server {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves on all of these.
    pub fn start(listeners: Vec<TcpListener>, limits: Limits, handler: impl Handler) -> Self {
        let (stop, stopped) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(limits.connections));
        let requests = Arc::new(Semaphore::new(limits.requests));
        let shared = Arc::new(Shared { handler, limits, places: requests });
        let serve = |listener| {
            let places = Arc::clone(&connections);
            let taking = Taking { listener, places, stop: stopped.clone() };
            tokio::spawn(taking.serve(Arc::clone(&shared)))
        };
        Self { stop, tasks: listeners.into_iter().map(serve).collect() }
    }

    /// Takes no more connections, and lets the requests under way come to their end. Whether all
    /// did within the limit; those that did not are ended.
    pub async fn stop(mut self, limit: Duration) -> bool {
        let _told = self.stop.send(true);
        let deadline = Instant::now() + limit;
        let mut all = true;
        for task in &mut self.tasks {
            let ended = timeout_at(deadline, &mut *task).await.is_ok();
            if !ended {
                task.abort();
            }
            all &= ended;
        }
        all
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody may be left to hear it: all have ended.
        let _ended = self.stop.send(true);
    }
}

/// A listener at work.
struct Taking {
    listener: TcpListener,
    /// For connections, of all listeners.
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Taking {
    async fn serve<H: Handler>(mut self, shared: Arc<Shared<H>>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = self.stop.changed() => break,
                Some(_ended) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, from)) => match Arc::clone(&self.places).try_acquire_owned() {
                        Ok(place) => {
                            let (shared, requests) = (Arc::clone(&shared), Requests::new());
                            let connection = Connection { shared, from, requests };
                            let stop = self.stop.clone();
                            connections.spawn(async move {
                                connection.serve(stream, stop).await;
                                drop(place);
                            });
                        }
                        Err(_) => refuse(&stream, from),
                    },
                    // Out of files, mostly: it passes when a connection ends.
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be taken");
                        sleep_until(Instant::now() + PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}

fn refuse(stream: &TcpStream, from: SocketAddr) {
    tracing::warn!(%from, "a connection is refused: there are too many");
    let _best_effort = stream.try_write(BUSY);
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;
    use crate::{
        http::{Reply, Request, Unread, reply},
        model::http::HeaderMap,
    };

    /// Answers with the length of the body; `/wait` first waits to be let go.
    struct Lengths {
        arrived: Arc<Notify>,
        go: Arc<Notify>,
    }

    impl Handler for Lengths {
        async fn handle(&self, request: Request) -> Reply {
            if request.uri.path() == "/wait" {
                self.arrived.notify_one();
                self.go.notified().await;
            }
            match request.body().await {
                Ok(body) => reply(200, HeaderMap::new(), body.len().to_string()),
                Err(Unread::TooLarge) => reply(413, HeaderMap::new(), ""),
                Err(Unread::Broken) => reply(408, HeaderMap::new(), ""),
            }
        }

        fn busy(&self) -> Reply {
            reply(503, HeaderMap::new(), "busy")
        }
    }

    struct Running {
        server: Server,
        address: SocketAddr,
        arrived: Arc<Notify>,
        go: Arc<Notify>,
    }

    async fn running(limits: Limits) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = Lengths { arrived: Arc::clone(&arrived), go: Arc::clone(&go) };
        Running { server: Server::start(vec![listener], limits, handler), address, arrived, go }
    }

    /// Sends the bytes, and reads until the server closes.
    async fn exchange(address: SocketAddr, sent: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        read(&mut stream).await
    }

    async fn read(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        // A server that does not want the rest may reset the connection.
        let _reset = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    const QUICK: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn heads_and_bodies_have_limits() {
        let limits =
            Limits { head: QUICK, body: QUICK, max_head: 8192, max_body: 4, ..Limits::LOCAL };
        let running = running(limits).await;
        let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
        for (sent, status) in [
            (format!("{head}content-length: 4\r\n\r\nabcd"), "HTTP/1.1 200"),
            (format!("{head}content-length: 5\r\n\r\nabcde"), "HTTP/1.1 413"),
            (
                format!("{head}transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"),
                "HTTP/1.1 413",
            ),
            // Two of four bytes, and then nothing.
            (format!("{head}content-length: 4\r\n\r\nab"), "HTTP/1.1 408"),
            // Two lengths: whose is it?
            (format!("{head}content-length: 4\r\ncontent-length: 5\r\n\r\nabcde"), "HTTP/1.1 400"),
            (format!("{head}x: {}\r\n\r\n", "y".repeat(10_000)), "HTTP/1.1 431"),
            // A head that never ends.
            ("GET / HTTP/1.1\r\nhost: x\r\n".to_owned(), ""),
        ] {
            let answer = exchange(running.address, &sent).await;
            assert!(answer.starts_with(status), "{sent:.60}: {answer}");
        }
    }

    /// Beside chunks a length may have stood, by which somebody in front went.
    #[tokio::test]
    async fn a_connection_ends_behind_a_body_in_chunks() {
        let running = running(Limits::LOCAL).await;
        for (fields, closes) in [
            ("content-length: 4\r\n", false),
            ("transfer-encoding: chunked\r\n", true),
            ("transfer-encoding: chunked\r\ncontent-length: 4\r\n", true),
            ("content-length: 4\r\ntransfer-encoding: chunked\r\n", true),
        ] {
            let body = if closes { "0\r\n\r\n" } else { "abcd" };
            let next = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            let sent = format!("POST / HTTP/1.1\r\nhost: x\r\n{fields}\r\n{body}{next}");
            let answers = exchange(running.address, &sent).await;
            let count = answers.matches("HTTP/1.1 ").count();
            assert_eq!(count, if closes { 1 } else { 2 }, "{fields} {answers}");
        }
    }

    #[tokio::test]
    async fn a_connection_too_many_is_told_to_come_again() {
        let running = running(Limits { connections: 1, ..Limits::LOCAL }).await;
        let mut first = TcpStream::connect(running.address).await.unwrap();
        first
            .write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        running.arrived.notified().await;
        let second = exchange(running.address, "").await;
        assert!(
            second.starts_with("HTTP/1.1 503") && second.contains("retry-after: 1"),
            "{second}"
        );
        running.go.notify_one();
        assert!(read(&mut first).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_stop_lets_requests_end_and_takes_no_more() {
        let Running { server, address, arrived, go } = running(Limits::LOCAL).await;
        let mut under_way = TcpStream::connect(address).await.unwrap();
        under_way.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        arrived.notified().await;
        let stop = tokio::spawn(server.stop(Duration::from_secs(10)));
        // The listener is gone as soon as the stop is seen.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        go.notify_one();
        assert!(read(&mut under_way).await.starts_with("HTTP/1.1 200"));
        assert!(stop.await.unwrap(), "all ended in time");
    }

    #[tokio::test]
    async fn a_stop_has_a_limit() {
        let Running { server, address, arrived, go: _go } = running(Limits::LOCAL).await;
        let mut under_way = TcpStream::connect(address).await.unwrap();
        under_way.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        arrived.notified().await;
        assert!(!server.stop(QUICK).await);
    }
}
