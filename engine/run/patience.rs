//! How long a request waits for the limits of its API: until its run has got nothing else through
//! for as long as `retry.budget`, or `--wait`. A long fan-out goes on as long as it moves, however
//! many of its requests stand in line; a run that gets nowhere ends.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::{Either, select};

use crate::run::context::Context;

/// The requests of a run that have passed the limits.
#[derive(Debug, Default)]
pub struct Progress {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Progress {
    /// One is sent; it ends when what comes back is dropped.
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }
}

/// A request of a run that is under way.
#[derive(Debug)]
pub struct UnderWay(Arc<Progress>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The patience of one request.
pub struct Patience<'a> {
    cx: &'a Context<'a>,
    /// When the run was last seen to get on.
    since: Duration,
    begun: u64,
    ended: u64,
}

impl<'a> Patience<'a> {
    /// It begins to wait.
    pub fn new(cx: &'a Context<'_>) -> Self {
        let Progress { begun, ended } = &**cx.progress;
        Self {
            cx,
            since: cx.services.clock.elapsed(),
            begun: begun.load(Ordering::Relaxed),
            ended: ended.load(Ordering::Relaxed),
        }
    }

    /// How much of it is left.
    pub fn left(&mut self) -> Duration {
        let Progress { begun, ended } = &**self.cx.progress;
        let (begun, ended) = (begun.load(Ordering::Relaxed), ended.load(Ordering::Relaxed));
        let now = self.cx.services.clock.elapsed();
        let moved = (begun, ended) != (self.begun, self.ended);
        if moved || begun != ended {
            (self.since, self.begun, self.ended) = (now, begun, ended);
        }
        self.cx.retry.budget.saturating_sub(now.saturating_sub(self.since))
    }

    /// Waits for `work` as long as there is patience left.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let left = self.left();
            if left.is_zero() {
                return None;
            }
            match select(work, self.cx.services.clock.sleep(left)).await {
                Either::Left((done, _)) => return Some(done),
                Either::Right(((), rest)) => work = rest,
            }
        }
    }
}
