//! A request and its answer, as a handler sees them.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use crate::{
    http::limits::Limits,
    model::http::{Frames, HeaderMap, Method},
};

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
    /// Who sent it: the other end of the connection.
    pub from: SocketAddr,
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
    /// What came over a connection.
    pub fn new(request: http::Request<Incoming>, from: SocketAddr, limits: Limits) -> Self {
        let (parts, body) = request.into_parts();
        let http::request::Parts { method, uri, headers, .. } = parts;
        Self { method, uri, headers, from, body, limits }
    }

    /// The body as it comes, however large; each piece within its time.
    pub fn frames(self) -> Frames {
        let wait = self.limits.body;
        let frames = stream::unfold(self.body, move |mut body| async move {
            let frame = match timeout(wait, body.frame()).await {
                Ok(frame) => frame?.map_err(io::Error::other),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            Some((frame, body))
        });
        StreamBody::new(frames).boxed()
    }

    /// Reads the body, within the limits.
    pub async fn body(self) -> Result<Bytes, Unread> {
        let declared = self.body.size_hint().lower();
        if usize::try_from(declared).is_ok_and(|declared| declared > self.limits.max_body) {
            return Err(Unread::TooLarge);
        }
        let whole = Limited::new(self.body, self.limits.max_body).collect();
        match timeout(self.limits.body, whole).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
            Ok(Err(_)) | Err(_) => Err(Unread::Broken),
        }
    }
}
