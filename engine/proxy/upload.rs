//! The body of a request on its way up: kept if it is small, so that it can be sent again; else
//! handed on as it comes, once.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};

use crate::model::http::{self, Frames, Stream};

/// So much is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// A body for a request.
pub async fn upload(mut frames: Frames) -> io::Result<http::Body> {
    let mut kept = BytesMut::new();
    while !frames.is_end_stream() {
        let Some(frame) = frames.frame().await else { break };
        // Trailers of a request are nothing that an API reads.
        if let Ok(data) = frame?.into_data() {
            kept.extend_from_slice(&data);
        }
        if kept.len() > KEPT {
            let rest = Arc::new(Mutex::new(Some(frames)));
            let once = Once { first: kept.freeze(), rest };
            return Ok(http::Body::Stream(Arc::new(once)));
        }
    }
    Ok(if kept.is_empty() { http::Body::Empty } else { http::Body::Bytes(kept.freeze()) })
}

/// A body whose beginning was read. It can be opened again as long as no more of it was read.
struct Once {
    first: Bytes,
    rest: Rest,
}

type Rest = Arc<Mutex<Option<Frames>>>;

impl Stream for Once {
    fn open(&self) -> io::Result<Frames> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || io::Error::other("the body has been sent, and was not kept");
        let opened = Opened {
            first: Some(self.first.clone()),
            rest: Some(rest.ok_or_else(gone)?),
            unread: Some(Arc::clone(&self.rest)),
        };
        Ok(opened.boxed())
    }

    fn can_open(&self) -> bool {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Its beginning, then the rest.
struct Opened {
    first: Option<Bytes>,
    rest: Option<Frames>,
    /// Where the rest goes back to, unless some of it was read.
    unread: Option<Rest>,
}

impl Body for Opened {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.unread = None;
        self.rest.as_mut().map_or(Poll::Ready(None), |rest| Pin::new(rest).poll_frame(cx))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(unread) = &self.unread {
            *unread.lock().unwrap_or_else(PoisonError::into_inner) = self.rest.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pieces: &[usize]) -> Frames {
        let pieces: Vec<_> =
            pieces.iter().map(|size| Ok(Frame::data(Bytes::from(vec![b'x'; *size])))).collect();
        Frames::new(http_body_util::StreamBody::new(futures_util::stream::iter(pieces)))
    }

    #[tokio::test]
    async fn small_bodies_are_kept_and_large_ones_pass_once() {
        let none = upload(frames(&[])).await.unwrap();
        assert!(matches!(none, http::Body::Empty));
        let small = upload(frames(&[3, KEPT - 3])).await.unwrap();
        assert_eq!(small.held().unwrap().len(), KEPT);
        let large = upload(frames(&[KEPT, 1, 500_000, 7])).await.unwrap();
        let http::Body::Stream(stream) = large else { panic!("{large:?}") };
        // Opened, and at most the beginning read, which is kept.
        drop(stream.open().unwrap());
        stream.open().unwrap().frame().await.unwrap().unwrap();
        assert!(stream.can_open());
        let sent = stream.open().unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(sent.len(), KEPT + 1 + 500_000 + 7);
        assert!(stream.open().is_err() && !stream.can_open(), "once");
    }
}
