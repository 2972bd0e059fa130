//! Waits on loopback for the browser to come back (RFC 8252, section 7.3).

use std::{io, net::SocketAddr, time::Duration};

use http::header::{CONNECTION, HOST};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::{
    connect::{consent::CallbackParams, page::Page},
    http::{Handler, Limits, Reply, Request, Server, html, reply},
    model::http::{Fields, HeaderValue, Method},
};

/// How long the browser waits for the page that tells it how it ended.
const PAGE_TIMEOUT: Duration = Duration::from_mins(2);
/// Callbacks that may wait at once: only one is ours.
const QUEUE: usize = 16;

/// The parameters of a callback, and where to put the page that answers it.
pub struct Callback {
    /// What its URL says.
    pub params: CallbackParams,
    /// The page; dropped, the browser is told that it is over.
    pub page: oneshot::Sender<Page>,
}

/// Listens until it is dropped.
pub struct Listener {
    callbacks: mpsc::Receiver<Callback>,
    port: u16,
    _running: Server,
}

impl Listener {
    /// Listens on 127.0.0.1 and, where there is one, on `::1`; port 0 is a free one.
    pub async fn start(port: u16, path: &str) -> io::Result<Self> {
        let four = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
        let port = four.local_addr()?.port();
        let six = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, port)).await.ok();
        let (send, callbacks) = mpsc::channel(QUEUE);
        let listeners = [Some(four), six].into_iter().flatten().collect();
        let waiting = Waiting { path: path.to_owned(), port, callbacks: send };
        let running = Server::start(listeners, Limits::LOCAL, waiting);
        Ok(Self { callbacks, port, _running: running })
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

/// Hands callbacks on, and waits for the pages that answer them.
struct Waiting {
    path: String,
    port: u16,
    callbacks: mpsc::Sender<Callback>,
}

impl Handler for Waiting {
    async fn handle(&self, request: Request) -> Reply {
        let page = self.page(&request).await;
        let mut headers = html::fields();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        reply(page.status, headers, page.html())
    }

    fn busy(&self) -> Reply {
        let text = "Too many requests at once: try again.".to_owned();
        let page = Page { status: 503, title: "Not now".to_owned(), text };
        reply(page.status, html::fields(), page.html())
    }
}

impl Waiting {
    async fn page(&self, request: &Request) -> Page {
        let nothing = |status, text: &str| Page {
            status,
            title: "Nothing here".to_owned(),
            text: text.to_owned(),
        };
        let host = request.headers.text(HOST).unwrap_or_default();
        let names = ["localhost", "127.0.0.1", "[::1]"];
        if !names.iter().any(|name| host == format!("{name}:{}", self.port)) {
            return nothing(421, "This address is only for signing in on this machine.");
        }
        if request.method != Method::GET || request.uri.path() != self.path {
            return nothing(404, "The engine waits here for one sign-in to come back.");
        }
        if is_ahead(request) {
            return nothing(503, "This page is not loaded ahead of time: open it.");
        }
        let params = CallbackParams::of_query(request.uri.query().unwrap_or_default());
        let (answer, page) = oneshot::channel();
        let shown = async {
            // In line behind others: whatever else comes here, ours is not turned away for it.
            self.callbacks.send(Callback { params, page: answer }).await.ok()?;
            page.await.ok()
        };
        let over = || Page::failed("The sign-in is over.".to_owned());
        tokio::time::timeout(PAGE_TIMEOUT, shown).await.ok().flatten().unwrap_or_else(over)
    }
}

/// Whether nobody looks at the page: a browser loads it ahead of time, and the code would be spent
/// before the person comes (Fetch Metadata, `Sec-Purpose`, and its older names).
fn is_ahead(request: &Request) -> bool {
    ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
        let text = request.headers.text(*name).unwrap_or_default().to_ascii_lowercase();
        text.contains("prefetch") || text.contains("prerender") || text.contains("preview")
    })
}
