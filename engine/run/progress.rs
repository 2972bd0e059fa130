//! How far a run has got: its requests that have passed the limits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

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

    /// How many have begun, and how many of these have ended.
    pub fn counts(&self) -> (u64, u64) {
        // In this order: what ends meanwhile counts as under way.
        let ended = self.ended.load(Ordering::Relaxed);
        (self.begun.load(Ordering::Relaxed), ended)
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
