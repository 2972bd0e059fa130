//! The requests of one connection: counted from their heads until their answers have been sent.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::timeout,
};

use crate::{http::limits::Limits, model::http::Frames};

/// How many are under way.
pub struct Requests(watch::Sender<usize>);

impl Requests {
    /// Of a new connection.
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// One more; `place` is held as long.
    pub fn begin(&self, place: Option<OwnedSemaphorePermit>) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay { count: self.0.clone(), _place: place }
    }

    /// Resolves when the connection is of no use: no head came within `head`, or none followed the
    /// last answer within `idle`.
    pub async fn unused(&self, limits: Limits) {
        let mut count = self.0.subscribe();
        let mut patience = limits.head;
        loop {
            if *count.borrow_and_update() > 0 {
                patience = limits.idle;
                // It fails only where the sender is gone, and the sender is here.
                let _changed = count.changed().await;
            } else if timeout(patience, count.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// A request that is under way.
pub struct UnderWay {
    count: watch::Sender<usize>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// The body of an answer, with which its request ends.
pub struct Last {
    body: Frames,
    under_way: Option<UnderWay>,
}

impl Last {
    /// With a request that ends when it has been sent, or dropped.
    pub fn new(body: Frames, under_way: UnderWay) -> Self {
        Self { body, under_way: Some(under_way) }
    }
}

impl Body for Last {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            self.under_way = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
