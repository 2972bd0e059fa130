//! The buckets that all runs of a process share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{model::limit::Limit, policy::limit::Bucket};

/// Buckets that nobody used for this long are forgotten.
const MOST_BUCKETS: usize = 10_000;

/// All buckets, by key.
#[derive(Default)]
pub struct Limiter {
    buckets: Mutex<HashMap<String, Arc<Shared>>>,
    /// No jitter: every back-off is the longest one, as tests in files expect.
    steady: bool,
}

/// A bucket, and the way to wake those who wait for a place in it.
pub struct Shared {
    /// Locked for moments only.
    pub bucket: Mutex<Bucket>,
    /// Told when a place is given back.
    pub freed: Notify,
}

impl Limiter {
    /// A limiter for tests: waits are exact.
    pub fn steady() -> Self {
        Self { steady: true, ..Self::default() }
    }

    /// The bucket of a limit.
    pub fn bucket(&self, key: String, limit: &Limit) -> Arc<Shared> {
        self.get(key, || Bucket::new(limit.rate, limit.concurrency))
    }

    /// A bucket without a limit: it can only be closed.
    pub fn bare(&self, key: String) -> Arc<Shared> {
        self.get(key, || Bucket::new(None, None))
    }

    fn get(&self, key: String, make: impl FnOnce() -> Bucket) -> Arc<Shared> {
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= MOST_BUCKETS {
            buckets.retain(|_, shared| {
                Arc::strong_count(shared) > 1 || lock(&shared.bucket).is_busy()
            });
        }
        let make = || Arc::new(Shared { bucket: Mutex::new(make()), freed: Notify::new() });
        Arc::clone(buckets.entry(key).or_insert_with(make))
    }

    /// Between 0 and 1, for jitter.
    pub fn jitter(&self) -> f64 {
        let mut bytes = [0_u8; 4];
        // Without randomness every wait is the longest one: slower, never wrong.
        if self.steady || getrandom::fill(&mut bytes).is_err() {
            return 1.0;
        }
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }
}

/// A lock whose holder panicked is still a lock: buckets are sound after every call.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
