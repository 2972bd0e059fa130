//! Waits on loopback for the browser to come back (RFC 8252, section 7.3).

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, header::CONNECTION};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{connect::page::Page, sandbox::html::fields};

/// Of the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the browser waits for the page that tells it how it ended.
const PAGE_TIMEOUT: Duration = Duration::from_mins(2);
/// Callbacks that may wait at once: only one is ours.
const QUEUE: usize = 16;

/// The parameters of a callback, and where to put the page that answers it.
pub struct Callback {
    /// Decoded, in order.
    pub params: Vec<(String, String)>,
    /// The page; dropped, the browser is told that it is over.
    pub page: oneshot::Sender<Page>,
}

/// Listens until it is dropped.
pub struct Listener {
    callbacks: mpsc::Receiver<Callback>,
    port: u16,
    tasks: Vec<JoinHandle<()>>,
}

impl Listener {
    /// Listens on 127.0.0.1 and, where there is one, on `::1`; port 0 is a free one.
    pub async fn start(port: u16, path: &str) -> io::Result<Self> {
        let four = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        let port = four.local_addr()?.port();
        let six = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, port)).await.ok();
        let (send, callbacks) = mpsc::channel(QUEUE);
        let tasks = [Some(four), six]
            .into_iter()
            .flatten()
            .map(|listener| tokio::spawn(serve(listener, path.to_owned(), port, send.clone())));
        Ok(Self { callbacks, port, tasks: tasks.collect() })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next callback.
    pub async fn next(&mut self) -> Option<Callback> {
        self.callbacks.recv().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn serve(listener: TcpListener, path: String, port: u16, send: mpsc::Sender<Callback>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (path, send) = (path.clone(), send.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, &path, port, &send));
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a callback's connection ended");
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    path: &str,
    port: u16,
    send: &mpsc::Sender<Callback>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let nothing = |status, text: &str| Page {
        status,
        title: "Nothing here".to_owned(),
        text: text.to_owned(),
    };
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
    let ours =
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host == format!("{name}:{port}"));
    let page = if !ours {
        nothing(421, "This address is only for signing in on this machine.")
    } else if request.method() != hyper::Method::GET || request.uri().path() != path {
        nothing(404, "The engine waits here for one sign-in to come back.")
    } else {
        let query = request.uri().query().unwrap_or_default();
        let params = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let (reply, page) = oneshot::channel();
        match send.try_send(Callback { params, page: reply }) {
            Ok(()) => match tokio::time::timeout(PAGE_TIMEOUT, page).await {
                Ok(Ok(page)) => page,
                Ok(Err(_)) | Err(_) => Page::failed("The sign-in is over.".to_owned()),
            },
            Err(_) => Page::failed("The sign-in is over.".to_owned()),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(page.html())));
    if let Ok(status) = hyper::StatusCode::from_u16(page.status) {
        *response.status_mut() = status;
    }
    *response.headers_mut() = fields();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}
