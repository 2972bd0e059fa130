//! Requests over connections of our own: writes, which must not be lost, and upgrades.

use std::time::Duration;

use http::{
    HeaderValue, Request, Response, Uri, Version,
    header::{CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE},
};
use hyper::{
    body::Body as _,
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use url::{Position, Url};

use crate::{
    model::http::{HeaderMap, Method},
    wire::{
        answer::Upgrade,
        dial::{Dialed, Dialer, Origin},
        error::Error,
        failure,
        outgoing::Outgoing,
        pool::{Lease, Leased, Pool, Sender, kept_for},
    },
};

/// How often a request is taken back from a connection that ended before it took it.
const MOST_TURNS: usize = 4;

/// Everything of a request but its body.
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// Where it goes.
    pub url: &'a Url,
    /// Its fields, but for `host`.
    pub headers: HeaderMap,
    /// The way there.
    pub origin: &'a Origin,
}

/// An answer, and the connection if it is handed over.
pub struct Answered {
    /// The head, and the body as it comes.
    pub response: Response<Leased>,
    /// After 101.
    pub upgrade: Option<Upgrade>,
}

/// Sends a request on a connection that is alive, or on a new one.
pub async fn send(
    dialer: &Dialer,
    pool: &Pool,
    head: &Head<'_>,
    mut body: Outgoing,
) -> Result<Answered, Error> {
    let origin = head.origin;
    let upgrade = head.headers.contains_key(UPGRADE);
    for _ in 0..MOST_TURNS {
        let kept = if upgrade { None } else { pool.take(origin).await };
        let lease = match kept {
            Some(lease) => lease,
            None => {
                let dialed = dialer.dial(head.url, origin, upgrade).await?;
                open(pool, origin, head.url, dialed).await?
            }
        };
        match exchange(lease, head, body).await? {
            Turn::Answered(answered) => return Ok(*answered),
            Turn::Untaken(untaken) => body = untaken,
        }
    }
    let reason = "the connection was closed".to_owned();
    Err(Error::Connect { host: failure::host(head.url), reason })
}

/// Speaks HTTP on a new connection.
async fn open(pool: &Pool, origin: &Origin, url: &Url, dialed: Dialed) -> Result<Lease, Error> {
    let Dialed { io, probe, many } = dialed;
    let io = TokioIo::new(io);
    let failed = |error: hyper::Error| failure::unconnected(&error, url);
    let sender = if many {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .handshake(io)
            .await
            .map_err(failed)?;
        tokio::spawn(async move { ended(connection.await) });
        Sender::Many(sender)
    } else {
        // As the pooling client does.
        let (sender, connection) = http1::Builder::new()
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(io)
            .await
            .map_err(failed)?;
        tokio::spawn(async move { ended(connection.with_upgrades().await) });
        Sender::One(sender)
    };
    Ok(pool.lease(sender, probe, origin.clone()))
}

fn ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}

/// What came of putting a request on a connection.
enum Turn {
    Answered(Box<Answered>),
    /// The connection had ended before it took the request: nothing of it was sent.
    Untaken(Outgoing),
}

async fn exchange(mut lease: Lease, head: &Head<'_>, body: Outgoing) -> Result<Turn, Error> {
    let sent = match &mut lease.sender {
        Sender::One(sender) => {
            let request = request(head, Version::HTTP_11, body)?;
            sender.try_send_request(request).await
        }
        Sender::Many(sender) => {
            let request = request(head, Version::HTTP_2, body)?;
            sender.try_send_request(request).await
        }
    };
    let mut response = match sent {
        Ok(response) => response,
        Err(error) => return untaken(error, head.url),
    };
    let switches = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
    let upgrade = switches.then(|| Upgrade::new(hyper::upgrade::on(&mut response)));
    let span = if switches { Duration::ZERO } else { kept_for(response.headers()) };
    let response = response.map(|body| Leased::new(body, lease, span));
    Ok(Turn::Answered(Box::new(Answered { response, upgrade })))
}

fn untaken(mut error: TrySendError<Request<Outgoing>>, url: &Url) -> Result<Turn, Error> {
    match error.take_message() {
        Some(request) => Ok(Turn::Untaken(request.into_body())),
        None => Err(failure::broken(error.error(), failure::host(url))),
    }
}

/// RFC 9112, section 3.2; RFC 9113, section 8.3.1.
fn request(head: &Head<'_>, version: Version, body: Outgoing) -> Result<Request<Outgoing>, Error> {
    let url = head.url;
    let refused = || Error::Refused {
        host: failure::host(url),
        reason: "the URL cannot stand in a request".to_owned(),
    };
    let authority = &url[Position::BeforeHost..Position::AfterPort];
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let mut headers = head.headers.clone();
    // The body has its own framing, and fields that contradict it would poison the connection.
    for framing in [CONTENT_LENGTH, TRANSFER_ENCODING, TE] {
        headers.remove(framing);
    }
    let takes_body = matches!(*head.method, Method::POST | Method::PUT | Method::PATCH);
    if takes_body && body.is_end_stream() {
        // RFC 9110, section 8.6: servers may wait for, or insist on, the length of what is absent.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let uri: Uri = if version == Version::HTTP_2 {
        let parts = Uri::builder().scheme(url.scheme()).authority(authority);
        parts.path_and_query(target).build().map_err(|_| refused())?
    } else {
        headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| refused())?);
        target.parse().map_err(|_| refused())?
    };
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = headers;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{
        model::http::{Authorized, Body, Response},
        wire::{Answer, Live, LiveSettings, Wire},
    };

    /// A server that keeps its connections, unless told to close them behind an answer.
    struct Peer {
        address: SocketAddr,
        connections: Arc<AtomicUsize>,
        requests: Arc<AtomicUsize>,
    }

    impl Peer {
        async fn start(answer: &'static str, closes: bool) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (connections, requests) = (Arc::default(), Arc::default());
            let peer = Self {
                address,
                connections: Arc::clone(&connections),
                requests: Arc::clone(&requests),
            };
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::Relaxed);
                    let requests = Arc::clone(&requests);
                    tokio::spawn(
                        async move { converse(stream, (answer, closes), &requests).await },
                    );
                }
            });
            peer
        }

        fn request(&self, method: Method) -> Authorized {
            Authorized::new(crate::model::http::Request {
                method,
                url: Url::parse(&format!("http://{}/x?y=1", self.address)).unwrap(),
                headers: HeaderMap::new(),
                body: Body::Bytes(Bytes::from_static(b"0123456789")),
                coded: false,
                timeout: None,
                silence: None,
                max_response: 1000,
                route: None,
            })
        }

        fn counts(&self) -> (usize, usize) {
            (self.connections.load(Ordering::Relaxed), self.requests.load(Ordering::Relaxed))
        }
    }

    async fn converse(
        mut stream: TcpStream,
        (answer, closes): (&str, bool),
        requests: &AtomicUsize,
    ) -> Option<()> {
        let mut seen = Vec::new();
        loop {
            // Each request ends with the same ten bytes.
            while !seen.ends_with(b"\r\n\r\n0123456789") {
                let read = stream.read_buf(&mut seen).await.ok()?;
                if read == 0 {
                    return None;
                }
            }
            let head = String::from_utf8(seen.split_off(0)).unwrap();
            assert!(head.starts_with("POST /x?y=1 HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("\r\nhost: 127.0.0.1:") && head.contains("\r\nuser-agent: "));
            requests.fetch_add(1, Ordering::Relaxed);
            stream.write_all(answer.as_bytes()).await.ok()?;
            if closes {
                return None;
            }
        }
    }

    fn live() -> Live {
        let allow = vec!["127.0.0.1/32".parse().unwrap()];
        Live::new(LiveSettings { allow, ..LiveSettings::default() }).unwrap()
    }

    async fn post(live: &Live, peer: &Peer) -> Result<Response, Error> {
        live.send(&peer.request(Method::POST)).await?.collect().await
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    #[tokio::test]
    async fn a_row_of_writes_takes_turns_on_two_connections() {
        for answer in [OK, "HTTP/1.1 204 No Content\r\n\r\n"] {
            let peer = Peer::start(answer, false).await;
            let live = live();
            for _ in 0..1000 {
                post(&live, &peer).await.unwrap();
            }
            let (connections, requests) = peer.counts();
            assert!(connections <= 2 && requests == 1000, "{connections} {requests}");
        }
    }

    #[tokio::test]
    async fn no_write_is_lost_on_a_connection_that_ended() {
        let peer = Peer::start(OK, true).await;
        let live = live();
        for round in 0..200 {
            assert_eq!(post(&live, &peer).await.unwrap().body, "ok", "{round}");
        }
        assert_eq!(peer.counts().1, 200);
    }

    #[tokio::test]
    async fn writes_at_once_each_have_a_connection() {
        let peer = Peer::start(OK, true).await;
        let live = live();
        for _ in 0..20 {
            let all = (0..10).map(|_| post(&live, &peer));
            for answer in futures_util::future::join_all(all).await {
                assert_eq!(answer.unwrap().status, 200);
            }
        }
        assert_eq!(peer.counts().1, 200);
    }

    #[tokio::test]
    async fn what_a_server_says_of_its_patience_is_kept() {
        let peer = Peer::start(
            "HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n",
            false,
        )
        .await;
        let live = live();
        for _ in 0..5 {
            post(&live, &peer).await.unwrap();
        }
        assert_eq!(peer.counts(), (5, 5));
    }

    /// All frames of an answer: data as text, trailers as fields.
    async fn frames(mut answer: Answer) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(frame) = answer.body.frame().await {
            found.push(match frame.unwrap().into_data() {
                Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
                Err(frame) => format!("{:?}", frame.into_trailers().unwrap()),
            });
        }
        found
    }

    #[tokio::test]
    async fn trailers_survive_and_early_hints_do_not_count() {
        let answer = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
            HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
            2\r\nab\r\n0\r\nx-sum: 7\r\n\r\n";
        let peer = Peer::start(answer, false).await;
        let live = live();
        for _ in 0..3 {
            let answer = live.send(&peer.request(Method::POST)).await.unwrap();
            assert_eq!(answer.status, 200);
            assert_eq!(frames(answer).await, ["ab", "{\"x-sum\": \"7\"}"]);
        }
    }

    #[tokio::test]
    async fn a_connection_is_handed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut seen).await.unwrap();
            }
            let head = String::from_utf8(seen).unwrap();
            assert!(head.contains("\r\nupgrade: echo\r\n"), "{head}");
            let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhi";
            stream.write_all(answer.as_bytes()).await.unwrap();
            let (mut read, mut write) = stream.split();
            let _ended = tokio::io::copy(&mut read, &mut write).await;
        });
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_static("upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("echo"));
        let request = Authorized::new(crate::model::http::Request {
            method: Method::GET,
            url: Url::parse(&format!("http://{address}/")).unwrap(),
            headers,
            body: Body::Empty,
            coded: false,
            timeout: None,
            silence: None,
            max_response: 1000,
            route: None,
        });
        let answer = live().send(&request).await.unwrap();
        assert_eq!(answer.status, 101);
        let mut connection = answer.upgrade.unwrap().open().await.unwrap();
        connection.write_all(b" there").await.unwrap();
        let mut heard = [0; 8];
        connection.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hi there");
    }
}
