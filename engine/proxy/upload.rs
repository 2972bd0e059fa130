//! The body of a request on its way up: kept if it is small, so that it can be sent again; else
//! handed on as it comes, once.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Body as _, Frame};

use crate::model::http::{Body, Frames, Stream};

/// So much is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// A body for a request, and whether it can be sent more than once.
pub async fn upload(mut frames: Frames) -> io::Result<(Body, bool)> {
    let mut kept = BytesMut::new();
    while !frames.is_end_stream() {
        let Some(frame) = frames.frame().await else { break };
        // Trailers of a request are nothing that an API reads.
        if let Ok(data) = frame?.into_data() {
            kept.extend_from_slice(&data);
        }
        if kept.len() > KEPT {
            let once = Once { first: kept.freeze(), rest: Mutex::new(Some(frames)) };
            return Ok((Body::Stream(Arc::new(once)), false));
        }
    }
    Ok((if kept.is_empty() { Body::Empty } else { Body::Bytes(kept.freeze()) }, true))
}

/// A body whose beginning was read.
struct Once {
    first: Bytes,
    rest: Mutex<Option<Frames>>,
}

impl Stream for Once {
    fn open(&self) -> io::Result<Frames> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || io::Error::other("the body has been sent, and was not kept");
        let first = Full::new(self.first.clone()).map_err(|never| match never {}).boxed();
        Ok(chained(first, rest.ok_or_else(gone)?))
    }
}

/// One after the other.
fn chained(first: Frames, rest: Frames) -> Frames {
    let frames = futures_util::stream::unfold(
        (first, rest),
        move |(mut first, mut rest): (Frames, Frames)| async move {
            let next: Option<io::Result<Frame<Bytes>>> = match first.frame().await {
                Some(frame) => Some(frame),
                None => rest.frame().await,
            };
            next.map(|frame| (frame, (first, rest)))
        },
    );
    BoxBody::new(http_body_util::StreamBody::new(frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pieces: &[usize]) -> Frames {
        let pieces: Vec<_> =
            pieces.iter().map(|size| Ok(Frame::data(Bytes::from(vec![b'x'; *size])))).collect();
        BoxBody::new(http_body_util::StreamBody::new(futures_util::stream::iter(pieces)))
    }

    #[tokio::test]
    async fn small_bodies_are_kept_and_large_ones_pass_once() {
        let (none, again) = upload(frames(&[])).await.unwrap();
        assert!(matches!(none, Body::Empty) && again);
        let (small, again) = upload(frames(&[3, KEPT - 3])).await.unwrap();
        assert_eq!((small.held().unwrap().len(), again), (KEPT, true));
        let (large, again) = upload(frames(&[KEPT, 1, 500_000, 7])).await.unwrap();
        let Body::Stream(stream) = large else { panic!("{large:?}") };
        assert!(!again);
        let sent = stream.open().unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(sent.len(), KEPT + 1 + 500_000 + 7);
        assert!(stream.open().is_err(), "once");
    }
}
