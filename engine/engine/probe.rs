//! When the store was last seen to take writes.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Anybody may ask whether the engine is ready: the store is asked at most so often.
const ASKED: Duration = Duration::from_secs(1);

/// When the store was last seen to take writes, on the clock of this process.
#[derive(Default)]
pub struct Probe(Mutex<Option<Duration>>);

impl Probe {
    /// Whether that is less than a second ago.
    pub fn is_fresh(&self, now: Duration) -> bool {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_some_and(|seen| now.saturating_sub(seen) < ASKED)
    }

    /// It was, now.
    pub fn seen(&self, now: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}
