//! Listens, and keeps every connection within its limits.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout, timeout_at},
};

use crate::model::http::{Frames, HeaderMap, Method};

/// What is written to a connection for which there is no place.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";
/// Before the system is asked again that had nothing to give.
const PAUSE: Duration = Duration::from_millis(50);

/// How much one server takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the head of a request is there, counted from the end of the last one.
    pub head: Duration,
    /// Of a head, in bytes; at least 8192.
    pub max_head: usize,
    /// Until a body is there.
    pub body: Duration,
    /// Of a body, in bytes.
    pub max_body: usize,
    /// At once.
    pub connections: usize,
}

impl Limits {
    /// For one person on this machine.
    pub const LOCAL: Self = Self {
        head: Duration::from_secs(10),
        max_head: 64 * 1024,
        body: Duration::from_secs(30),
        max_body: 10_000_000,
        connections: 256,
    };
}

/// An answer; its body may be a stream.
pub type Reply = Response<Frames>;

/// An answer that is whole.
pub fn reply(status: u16, headers: HeaderMap, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()).map_err(|never| match never {}).boxed());
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *reply.headers_mut() = headers;
    reply
}

/// A request whose head is there.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// The fields.
    pub headers: HeaderMap,
    body: Incoming,
    limits: Limits,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It is larger than allowed.
    TooLarge,
    /// It came too slowly, or broke off.
    Broken,
}

impl Request {
    /// Reads the body, within the limits.
    pub async fn body(self) -> Result<Bytes, Unread> {
        let whole = Limited::new(self.body, self.limits.max_body).collect();
        match timeout(self.limits.body, whole).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
            Ok(Err(_)) | Err(_) => Err(Unread::Broken),
        }
    }
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The answer. Dropped when the client goes away.
    fn handle(&self, request: Request) -> impl Future<Output = Reply> + Send;
}

/// Serves until it is dropped or stopped: it takes no more connections then, and requests under way
/// come to their end.
pub struct Server {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

struct Shared<H> {
    handler: H,
    limits: Limits,
    places: Arc<Semaphore>,
}

impl Server {
    /// Serves on all of these.
    pub fn start(listeners: Vec<TcpListener>, limits: Limits, handler: impl Handler) -> Self {
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(limits.connections));
        let shared = Arc::new(Shared { handler, limits, places });
        let serve = |listener| tokio::spawn(serve(listener, Arc::clone(&shared), stopped.clone()));
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

async fn serve<H: Handler>(
    listener: TcpListener,
    shared: Arc<Shared<H>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            Some(_ended) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => match Arc::clone(&shared.places).try_acquire_owned() {
                    Ok(place) => {
                        let connection = Connection { stream, place, stop: stop.clone() };
                        connections.spawn(connection.serve(Arc::clone(&shared)));
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
    drop(listener);
    while connections.join_next().await.is_some() {}
}

fn refuse(stream: &TcpStream, from: SocketAddr) {
    tracing::warn!(%from, "a connection is refused: there are too many");
    let _best_effort = stream.try_write(BUSY);
}

struct Connection {
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    stop: watch::Receiver<bool>,
}

impl Connection {
    async fn serve<H: Handler>(self, shared: Arc<Shared<H>>) {
        let Self { stream, place, mut stop } = self;
        // A small answer does not wait for the acknowledgement of the last one.
        let _set = stream.set_nodelay(true);
        let Limits { head, max_head, .. } = shared.limits;
        let service = service_fn(|request| answer(Arc::clone(&shared), request));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(max_head);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = stop.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
        drop(place);
    }
}

async fn answer<H: Handler>(
    shared: Arc<Shared<H>>,
    request: http::Request<Incoming>,
) -> Result<Reply, Infallible> {
    let (parts, body) = request.into_parts();
    let http::request::Parts { method, uri, headers, .. } = parts;
    let request = Request { method, uri, headers, body, limits: shared.limits };
    Ok(shared.handler.handle(request).await)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;

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
