//! The body of a request on its way out, and whether it still moves.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use crate::{
    model::http::{Body, Frames},
    wire::deadline,
};

/// How many pieces have been asked for: a slow upload is not silence.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Waits for `work`, unless neither it nor the body moves for so long.
    pub async fn patiently<T>(
        &self,
        work: impl Future<Output = T>,
        silence: Duration,
    ) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let before = self.0.load(Ordering::Relaxed);
            match deadline::until(Instant::now() + silence, &mut work).await {
                Some(done) => return Some(done),
                None if self.0.load(Ordering::Relaxed) != before => {}
                None => return None,
            }
        }
    }
}

/// A request's body.
pub struct Outgoing {
    frames: Frames,
    progress: Progress,
}

impl Outgoing {
    /// Opens a body for one try.
    pub fn open(body: &Body, progress: Progress) -> io::Result<Self> {
        let frames = match body {
            Body::Empty => Empty::new().map_err(|never| match never {}).boxed(),
            Body::Bytes(bytes) => Full::new(bytes.clone()).map_err(|never| match never {}).boxed(),
            Body::Stream(stream) => stream.open()?,
        };
        Ok(Self { frames, progress })
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.progress.0.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.frames).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}
