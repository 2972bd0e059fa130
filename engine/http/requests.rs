//! The requests of one connection: counted from their heads until their answers have been sent.
//!
//! Over HTTP/2 a client may take nothing of an answer while it acknowledges everything (RFC 9113,
//! section 6.9): an answer that is whole gives its place back at once, and a connection that takes
//! nothing of any is ended.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until, timeout},
};

use crate::{http::limits::Limits, model::http::Frames};

/// How many are under way, and whether their answers are taken.
pub struct Requests {
    count: watch::Sender<usize>,
    flow: Arc<Flow>,
}

/// What the client takes of answers.
#[derive(Default)]
struct Flow {
    /// Answers that have more to give than was taken.
    offered: AtomicUsize,
    /// Pieces that were taken.
    taken: AtomicUsize,
}

impl Requests {
    /// Of a new connection.
    pub fn new() -> Self {
        Self { count: watch::Sender::new(0), flow: Arc::default() }
    }

    /// One more; `place` is held as long.
    pub fn begin(&self, place: Option<OwnedSemaphorePermit>) -> UnderWay {
        self.count.send_modify(|count| *count += 1);
        UnderWay { count: self.count.clone(), flow: Arc::clone(&self.flow), place }
    }

    /// Resolves when the connection is of no use: no head came within `head`, or none followed the
    /// last answer within `idle`.
    pub async fn unused(&self, limits: Limits) {
        let mut count = self.count.subscribe();
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

    /// Resolves when answers wait, and nothing of any was taken for as long as a client may be idle.
    pub async fn stalled(&self, limits: Limits) {
        let mut before = None;
        loop {
            sleep_until(Instant::now() + limits.idle).await;
            let taken = self.flow.taken.load(Ordering::Relaxed);
            let waits = self.flow.offered.load(Ordering::Relaxed) > 0;
            if waits && before == Some(taken) {
                return;
            }
            before = waits.then_some(taken);
        }
    }
}

/// A request that is under way.
pub struct UnderWay {
    count: watch::Sender<usize>,
    flow: Arc<Flow>,
    place: Option<OwnedSemaphorePermit>,
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
    /// Whether it waits for the client.
    offered: bool,
}

impl Last {
    /// With a request that ends when it has been sent, or dropped.
    pub fn new(body: Frames, mut under_way: UnderWay) -> Self {
        if body.size_hint().exact().is_some() {
            // It is whole, and takes nothing but memory.
            under_way.place = None;
        }
        let mut last = Self { body, under_way: Some(under_way), offered: false };
        last.offer(true);
        last
    }

    fn offer(&mut self, offered: bool) {
        let Some(UnderWay { flow, .. }) = &self.under_way else { return };
        match (self.offered, offered) {
            (false, true) => flow.offered.fetch_add(1, Ordering::Relaxed),
            (true, false) => {
                flow.taken.fetch_add(1, Ordering::Relaxed);
                flow.offered.fetch_sub(1, Ordering::Relaxed)
            }
            (true, true) | (false, false) => return,
        };
        self.offered = offered;
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        self.offer(false);
    }
}

impl Body for Last {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.offer(false);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            self.under_way = None;
        }
        self.offer(true);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
