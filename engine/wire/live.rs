//! `Live`: the network as it is.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, UPGRADE, USER_AGENT};
use http_body_util::BodyExt;
use ipnet::IpNet;
use reqwest::Client;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::{
    diagnostic::Explain,
    model::http::{
        ACCEPT, Authorized, Body, CONTENT_TYPE, HeaderMap, HeaderValue, Request, is_safe,
    },
    wire::{
        answer::{self, Answer, BodyLimits},
        coding, deadline,
        dial::{Dialer, Outbound},
        direct::{self, Answered, Head},
        error::Error,
        failure,
        guard::Transport,
        outgoing::{Outgoing, Progress},
        pool::Pool,
        port::{Exchange, Wire},
        proxy::ProxySettings,
        resolver::Guarded,
        tls,
    },
};

/// How to reach the network.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Ranges that may be called although they are closed, and over plain http.
    pub allow: Vec<IpNet>,
    /// PEM file of further authorities.
    pub ca_file: Option<PathBuf>,
    /// Until a connection stands, name resolution and TLS included.
    pub connect_timeout: Duration,
    /// Which requests take a tunnel through a proxy.
    pub proxy: ProxySettings,
    /// Sent unless a request has its own.
    pub user_agent: String,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            proxy: ProxySettings::default(),
            user_agent: concat!("engine/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The file of authorities.
    #[error("the file of certificate authorities cannot be used: {reason}")]
    Authorities {
        /// In our words, with the path.
        reason: String,
    },
    /// The user agent.
    #[error("the user agent cannot be sent in a header")]
    UserAgent,
}

impl Explain for SetupError {
    fn code(&self) -> &'static str {
        match self {
            Self::Authorities { .. } => "wire.authorities",
            Self::UserAgent => "wire.user-agent",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Authorities { .. } => {
                "ENGINE_CA_FILE takes a file of PEM certificates".to_owned()
            }
            Self::UserAgent => "use visible ASCII characters".to_owned(),
        })
    }
}

/// The network. Clients are made when they are first needed: who speaks only to the sandbox never
/// pays for TLS roots.
pub struct Live {
    dialer: Dialer,
    user_agent: HeaderValue,
    plain: OnceLock<Result<Client, String>>,
    secure: OnceLock<Result<Client, String>>,
    pool: Pool,
}

impl Live {
    /// Reads the file of authorities, if there is one. Opens no connection.
    pub fn new(settings: LiveSettings) -> Result<Self, SetupError> {
        let LiveSettings { allow, ca_file, connect_timeout, proxy, user_agent } = settings;
        let authorities = match ca_file {
            Some(path) => {
                tls::authorities(&path).map_err(|reason| SetupError::Authorities { reason })?
            }
            None => Vec::new(),
        };
        Ok(Self {
            dialer: Dialer::new(
                Outbound { opened: allow.into(), proxy },
                authorities,
                connect_timeout,
            ),
            user_agent: HeaderValue::from_str(&user_agent).map_err(|_| SetupError::UserAgent)?,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            pool: Pool::default(),
        })
    }

    /// The pooling client.
    fn client(&self, transport: Transport) -> Result<&Client, String> {
        let made = match transport {
            Transport::Plain => self.plain.get_or_init(|| {
                let tls = tls::distrusting();
                self.build(transport, tls.map_err(|error| format!("no TLS: {error}"))?)
            }),
            Transport::Secure => {
                self.secure.get_or_init(|| self.build(transport, self.dialer.tls()?.clone()))
            }
        };
        made.as_ref().map_err(Clone::clone)
    }

    fn build(&self, transport: Transport, tls: ClientConfig) -> Result<Client, String> {
        Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Guarded { transport, opened: Arc::clone(self.dialer.opened()) })
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // Servers that are old write heads so, and user agents read them (RFC 9112, sections 5.1
            // and 5.2).
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .connect_timeout(self.dialer.limit())
            .build()
            .map_err(|_| "the client cannot be set up".to_owned())
    }

    /// Sends, and waits for the head of the answer.
    async fn exchange(&self, request: &Request, limits: BodyLimits) -> Result<Answer, Error> {
        let url = &request.url;
        let origin = self.dialer.origin(url, request.route.as_ref())?;
        self.dialer.judge(url, &origin)?;
        let headers = self.fields(request);
        let head = Head { method: &request.method, url, headers, origin: &origin };
        let progress = Progress::default();
        // What asks for another protocol needs the connection itself.
        let work = async {
            let pooled = is_safe(&request.method) && origin.proxy.is_none();
            if pooled && !head.headers.contains_key(UPGRADE) {
                let response = self.read(request, head, &progress).await?;
                return Ok(answer(response, request, limits).await);
            }
            let body = open(request, &progress)?;
            let Answered { response, upgrade } =
                direct::send(&self.dialer, &self.pool, &head, body).await?;
            let mut answer = answer(response, request, limits).await;
            answer.upgrade = upgrade;
            Ok(answer)
        };
        let Some(silence) = request.silence else { return work.await };
        progress.patiently(work, silence).await.unwrap_or_else(|| {
            Err(Error::Timeout { host: failure::host(url), limit: silence, sent: true })
        })
    }

    /// By the pooling client: should a kept connection be dead, a read is repeated.
    async fn read(
        &self,
        request: &Request,
        head: Head<'_>,
        progress: &Progress,
    ) -> Result<http::Response<reqwest::Body>, Error> {
        let url = head.url;
        let refused = |reason| Error::Refused { host: failure::host(url), reason };
        let client = self.client(head.origin.transport).map_err(refused)?;
        let mut outgoing = reqwest::Request::new(request.method.clone(), url.clone());
        *outgoing.headers_mut() = head.headers;
        *outgoing.body_mut() = match &request.body {
            Body::Empty => None,
            Body::Bytes(bytes) => Some(bytes.clone().into()),
            Body::Stream(_) => Some(reqwest::Body::wrap(open(request, progress)?)),
        };
        match client.execute(outgoing).await {
            Ok(response) => Ok(response.into()),
            Err(error) => Err(failure::classify(&error, url, self.dialer.limit())),
        }
    }

    /// The fields, with those that every request has. Values count as sensitive, so that neither
    /// `Debug` nor header compression gets hold of them.
    fn fields(&self, request: &Request) -> HeaderMap {
        let mut headers = request.headers.clone();
        for (name, value) in &mut headers {
            value.set_sensitive(name != CONTENT_TYPE && name != ACCEPT);
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        if !request.coded {
            headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(coding::ACCEPTED));
        }
        headers
    }
}

fn open(request: &Request, progress: &Progress) -> Result<Outgoing, Error> {
    Outgoing::open(&request.body, progress.clone()).map_err(|error| Error::Refused {
        host: failure::host(&request.url),
        reason: format!("its body cannot be read: {error}"),
    })
}

/// A head and the body behind it, decoded unless it is wanted as it was sent.
async fn answer<B>(response: http::Response<B>, request: &Request, limits: BodyLimits) -> Answer
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let host = failure::host(&request.url);
    let named = host.clone();
    let failed = move |error: Box<dyn std::error::Error + Send + Sync>| {
        failure::broken(error.as_ref(), named.clone())
    };
    if request.coded {
        let (parts, body) = response.into_parts();
        let frames = body.map_err(move |error| failed(error.into()));
        let body = answer::Body::new(frames, host, limits);
        return Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            upgrade: None,
        };
    }
    let (parts, body) = coding::decoded(response).await.into_parts();
    let body = answer::Body::new(body.map_err(failed), host, limits);
    Answer { status: parts.status.as_u16(), headers: parts.headers, body, upgrade: None }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("opened", self.dialer.opened()).finish_non_exhaustive()
    }
}

impl Wire for Live {
    fn send<'a>(&'a self, request: &'a Authorized) -> Exchange<'a> {
        let request = request.open();
        Box::pin(async move {
            let whole = request.timeout.map(|limit| (Instant::now() + limit, limit));
            let limits = BodyLimits { cap: request.max_response, silence: request.silence, whole };
            let Some((at, limit)) = whole else { return self.exchange(request, limits).await };
            // Where it stood when the time was up is not known: it may have been sent.
            deadline::until(at, self.exchange(request, limits)).await.unwrap_or_else(|| {
                Err(Error::Timeout { host: failure::host(&request.url), limit, sent: true })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use url::Url;

    use super::*;
    use crate::model::http::{Fields, Method, Response};

    const SHORT: Duration = Duration::from_millis(400);

    /// What a test server does once it has sent its bytes.
    #[derive(Clone, Copy)]
    enum Then {
        Close,
        Hold,
    }

    /// Answers every request with the bytes that `script` gives for its head and body.
    async fn serve(script: impl Fn(&str) -> (Vec<u8>, Then) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut text = vec![0; 4096];
                let size = stream.read(&mut text).await.unwrap_or(0);
                let (answer, then) = script(&String::from_utf8_lossy(&text[..size]));
                let _ = stream.write_all(&answer).await;
                match then {
                    Then::Close => drop(stream),
                    Then::Hold => held.push(stream),
                }
            }
        });
        address
    }

    fn live(allow: &[&str]) -> Live {
        Live::new(LiveSettings {
            allow: allow.iter().map(|range| range.parse().unwrap()).collect(),
            connect_timeout: SHORT / 2,
            ..LiveSettings::default()
        })
        .unwrap()
    }

    fn request(method: Method, url: &str) -> Request {
        Request {
            method,
            url: Url::parse(url).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            coded: false,
            timeout: None,
            silence: None,
            max_response: 1000,
            route: None,
        }
    }

    async fn send(live: &Live, request: Request) -> Result<Response, Error> {
        let sent = Authorized::new(request);
        let answer = match live.send(&sent).await {
            Ok(answer) => answer.collect().await,
            Err(error) => Err(error),
        };
        if let Err(error) = &answer {
            assert!(!error.to_string().contains("hidden"), "{error}");
        }
        answer
    }

    /// Sends `GET /hidden` to a server that answers with `answer`.
    async fn get(answer: impl Into<Vec<u8>>, then: Then) -> Result<Response, Error> {
        let answer = answer.into();
        let at = serve(move |_| (answer.clone(), then)).await;
        send(&live(&["127.0.0.1/32"]), request(Method::GET, &format!("http://{at}/hidden"))).await
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    }

    /// 1 + 258 × `times` letters `a`, gzipped: one literal and copies of it, in fixed Huffman codes.
    fn gzip(times: usize) -> Vec<u8> {
        let mut bits = vec![true, true, false];
        let mut code = |value: u32, size: u32| {
            bits.extend((0..size).rev().map(|at| value >> at & 1 == 1));
        };
        code(0x91, 8);
        for _ in 0..times {
            code(0xc5, 8);
            code(0, 5);
        }
        code(0, 7);
        let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        out.extend(bits.chunks(8).map(|chunk| {
            chunk.iter().enumerate().fold(0u8, |byte, (at, bit)| byte | u8::from(*bit) << at)
        }));
        let plain = vec![b'a'; 1 + 258 * times];
        out.extend(crc32(&plain).to_le_bytes());
        out.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
        out
    }

    fn gzipped(body: &[u8]) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    #[tokio::test]
    async fn an_answer_arrives_as_it_was_sent() {
        let at = serve(|text| {
            let body = text.split("\r\n\r\n").nth(1).unwrap_or("");
            let head =
                "HTTP/1.1 418 Teapot\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nx-odd: \u{e9}\r\n";
            let mut answer: Vec<u8> = head.chars().map(|c| u8::try_from(c).unwrap()).collect();
            answer.extend(format!("content-length: {}\r\n\r\n{body}", body.len()).bytes());
            assert!(text.contains("x-key: caf\u{e9}") && text.contains("user-agent: engine/"));
            assert!(!text.contains("referer"));
            (answer, Then::Hold)
        })
        .await;
        let mut post = request(Method::POST, &format!("http://{at}/"));
        post.headers.append("x-key", HeaderValue::from_bytes("café".as_bytes()).unwrap());
        post.body = Body::Bytes(Bytes::from_static(b"hello"));
        let answer = send(&live(&["127.0.0.0/8"]), post).await.unwrap();
        assert_eq!((answer.status, answer.body.as_ref()), (418, b"hello".as_slice()));
        assert_eq!(answer.headers.texts("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert_eq!(answer.headers["x-odd"].as_bytes(), b"\xe9");
        assert_eq!(answer.headers.text("x-odd").unwrap(), "\u{e9}");
    }

    #[tokio::test]
    async fn bodies_in_pieces_and_gzipped_ones_are_put_together() {
        let chunks =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(get(chunks, Then::Hold).await.unwrap().body, "abcde");
        let answer = get(gzipped(&gzip(3)), Then::Hold).await.unwrap();
        assert_eq!(answer.body, vec![b'a'; 775]);
        assert_eq!(get("HTTP/1.1 204 No\r\n\r\n", Then::Hold).await.unwrap().body, "");
        assert_eq!(
            get("HTTP/1.1 200 OK\r\n\r\nto the end", Then::Close).await.unwrap().body,
            "to the end"
        );
    }

    #[tokio::test]
    async fn too_large_answers_are_not_read() {
        let announced = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n".to_owned();
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1001));
        for answer in [announced.into_bytes(), endless.into_bytes(), gzipped(&gzip(4000))] {
            let error = get(answer, Then::Hold).await.unwrap_err();
            assert!(matches!(error, Error::TooLarge { limit: 1000, .. }), "{error}");
            assert!(error.was_sent());
        }
    }

    #[tokio::test]
    async fn damaged_answers_are_no_answers() {
        let cut = gzip(3);
        let cut = cut.get(..cut.len() - 9).unwrap();
        let cases: [(&str, Vec<u8>); 8] = [
            ("closed", Vec::new()),
            ("half a head", b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
            ("no HTTP", b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
            ("cut", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc".to_vec()),
            ("cut chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nab".to_vec()),
            (
                "bad chunk",
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab".to_vec(),
            ),
            ("cut gzip", gzipped(cut)),
            ("no gzip", gzipped(b"{\"plain\": true}")),
        ];
        for (name, answer) in cases {
            let error = get(answer, Then::Close).await.unwrap_err();
            assert!(matches!(error, Error::Broken { .. }), "{name}: {error}");
            assert!(error.was_sent(), "{name}");
        }
    }

    #[tokio::test]
    async fn heads_of_old_servers_are_read() {
        let live = live(&["127.0.0.1/32"]);
        for field in
            ["x-odd: default-src 'self';\r\n  img-src *", "X-Odd : default-src 'self'; img-src *"]
        {
            let answer = format!("HTTP/1.1 200 OK\r\n{field}\r\ncontent-length: 2\r\n\r\nok");
            let at = serve(move |_| (answer.clone().into_bytes(), Then::Close)).await;
            for method in [Method::GET, Method::POST] {
                let answer = send(&live, request(method, &format!("http://{at}/"))).await.unwrap();
                assert_eq!(answer.body, "ok");
                let text = answer.headers.text("x-odd").unwrap();
                let words: Vec<_> = text.split_whitespace().collect();
                assert_eq!(words, ["default-src", "'self';", "img-src", "*"]);
            }
        }
    }

    #[tokio::test]
    async fn silence_ends_with_the_limit_that_it_broke() {
        for head in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"] {
            let at = serve(move |_| (head.into(), Then::Hold)).await;
            let mut silent = request(Method::GET, &format!("http://{at}/hidden"));
            silent.silence = Some(SHORT);
            let error = send(&live(&["127.0.0.1/32"]), silent).await.unwrap_err();
            let Error::Timeout { limit, sent, .. } = error else { panic!("{head:?}: {error}") };
            assert_eq!((limit, sent), (SHORT, true), "{head:?}");
        }
        let at = serve(|_| (Vec::new(), Then::Hold)).await;
        let mut whole = request(Method::GET, &format!("http://{at}/hidden"));
        whole.timeout = Some(SHORT / 3);
        let error = send(&live(&["127.0.0.1/32"]), whole).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { limit, sent: true, .. } if limit == SHORT / 3));
        // A server that never answers the TLS hello has not been sent a request.
        let mut silent = request(Method::GET, &format!("https://{at}/hidden"));
        silent.timeout = Some(SHORT);
        let error = send(&live(&["127.0.0.1/32"]), silent).await.unwrap_err();
        assert!(matches!(error, Error::Timeout { sent: false, limit, .. } if limit == SHORT / 2));
    }

    #[tokio::test]
    async fn redirects_are_handed_back() {
        let answer = "HTTP/1.1 302 Found\r\nlocation: /caf\u{e9} x\r\ncontent-length: 0\r\n\r\n";
        let answer = get(answer, Then::Hold).await.unwrap();
        assert_eq!((answer.status, &*answer.headers.text("location").unwrap()), (302, "/café x"));
    }

    #[tokio::test]
    async fn closed_addresses_are_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "０x7f.1",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "0",
            "10.0.0.1",
            "localhost",
            "127.0.0.1.",
        ] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://user:hidden@{host}/hidden");
                let error = send(&live(&["192.168.7.0/24"]), request(Method::GET, &url)).await;
                let error = error.unwrap_err();
                assert!(matches!(error, Error::Blocked { .. }), "{url}: {error}");
                assert!(!error.was_sent());
            }
        }
        let public = request(Method::GET, "http://8.8.8.8/hidden");
        let error = send(&live(&[]), public).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_name_is_called_when_all_its_addresses_are_opened() {
        let at = serve(|_| (b"HTTP/1.1 204 No\r\n\r\n".to_vec(), Then::Hold)).await;
        let url = format!("http://localhost:{}/", at.port());
        let opened = live(&["127.0.0.0/8", "::1/128"]);
        assert_eq!(send(&opened, request(Method::GET, &url)).await.unwrap().status, 204);
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_not_sent() {
        let live = live(&["127.0.0.1/32"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        let error = send(&live, request(Method::POST, &format!("http://{at}/hidden"))).await;
        let host = at.to_string();
        assert_eq!(
            error.unwrap_err(),
            Error::Connect { host, reason: "connection refused".to_owned() }
        );
        let at = serve(|_| (b"HTTP/1.1 400 Bad\r\n\r\n".to_vec(), Then::Close)).await;
        let error = send(&live, request(Method::GET, &format!("https://{at}/hidden"))).await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, Error::Connect { reason, .. } if reason.contains("TLS")),
            "{error}"
        );
        let error = send(&live, request(Method::GET, "ftp://127.0.0.1/hidden")).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
    }

    #[test]
    fn settings_are_checked_when_they_are_given() {
        let settings = LiveSettings { user_agent: "a\nb".to_owned(), ..LiveSettings::default() };
        assert_eq!(Live::new(settings).unwrap_err(), SetupError::UserAgent);
        let ca_file = Some(PathBuf::from("/nowhere/ca.pem"));
        let error = Live::new(LiveSettings { ca_file, ..LiveSettings::default() }).unwrap_err();
        assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
    }
}
