//! One connection: HTTP/1.1, or HTTP/2 with prior knowledge (RFC 9113, section 3.3), within limits.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc};

use http::{
    HeaderValue, Response, Version,
    header::{CONNECTION, TRANSFER_ENCODING},
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::http::{
    limits::Limits,
    message::{Reply, Request},
    requests::{Last, Requests},
};

/// With what a connection that speaks HTTP/2 begins; no method of HTTP/1.1 is called so.
const PREFACE: &[u8] = b"PRI";
/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 128;

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The answer. Dropped when the client goes away.
    fn handle(&self, request: Request) -> impl Future<Output = Reply> + Send;
    /// The answer to a request too many; `retry-after` should say when to come again.
    fn busy(&self) -> Reply;
}

/// What all connections of a server need.
pub struct Shared<H> {
    pub handler: H,
    pub limits: Limits,
    /// For requests.
    pub places: Arc<Semaphore>,
}

/// A connection that was taken.
pub struct Connection<H> {
    pub shared: Arc<Shared<H>>,
    pub from: SocketAddr,
    pub requests: Requests,
}

impl<H: Handler> Connection<H> {
    /// Serves it to its end; `stop` tells that the server wants it to come soon.
    pub async fn serve(self, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        let Limits { head, idle, .. } = self.shared.limits;
        // A small answer does not wait for the acknowledgement of the last one.
        let _set = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _set = SockRef::from(&stream).set_tcp_user_timeout(Some(idle));
        let mut first = [0; PREFACE.len()];
        let peeked = tokio::select! {
            peeked = timeout(head, stream.peek(&mut first)) => peeked,
            _ = stop.changed() => return,
        };
        // Whoever sends less than this of a preface at once is taken for HTTP/1.1, and refused.
        let is_http2 = match peeked {
            Ok(Ok(count)) if count > 0 => first == PREFACE,
            Ok(Ok(_) | Err(_)) | Err(_) => return,
        };
        let one = Arc::new(self);
        let ended =
            if is_http2 { one.http2(stream, stop).await } else { one.http1(stream, stop).await };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }

    async fn http1(
        self: &Arc<Self>,
        stream: TcpStream,
        mut stop: watch::Receiver<bool>,
    ) -> hyper::Result<()> {
        let limits = self.shared.limits;
        let service = service_fn(|request| Arc::clone(self).answer(request));
        let mut http = http1::Builder::new();
        // What its own time limit does is done below: it does not tell a head from a rest.
        http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(limits.max_head);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.requests.unused(limits) => return Ok(()),
            _ = stop.changed() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            ended = connection => ended,
            // Half a head is no request that has to be answered.
            () = self.requests.unused(limits) => Ok(()),
        }
    }

    async fn http2(
        self: &Arc<Self>,
        stream: TcpStream,
        mut stop: watch::Receiver<bool>,
    ) -> hyper::Result<()> {
        let limits = self.shared.limits;
        let service = {
            let one = Arc::clone(self);
            service_fn(move |request| Arc::clone(&one).answer(request))
        };
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
            .keep_alive_interval(limits.idle);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.requests.unused(limits) => {}
            () = self.requests.stalled(limits) => return Ok(()),
            _ = stop.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            // A client that does not close is closed.
            () = self.requests.unused(limits) => Ok(()),
            () = self.requests.stalled(limits) => Ok(()),
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
    ) -> Result<Response<Last>, Infallible> {
        let Shared { handler, limits, places } = &*self.shared;
        let place = Arc::clone(places).try_acquire_owned().ok();
        let free = place.is_some();
        let under_way = self.requests.begin(place);
        // Should a length have stood beside it, hyper has taken it away: a front that goes by the
        // length may have put another request behind this one (RFC 9112, section 6.1).
        let closes = request.version() < Version::HTTP_2
            && request.headers().contains_key(TRANSFER_ENCODING);
        let mut reply = if free {
            handler.handle(Request::new(request, self.from, *limits)).await
        } else {
            tracing::warn!(from = %self.from, "a request is refused: there are too many");
            handler.busy()
        };
        if closes {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(reply.map(|body| Last::new(body, under_way)))
    }
}
