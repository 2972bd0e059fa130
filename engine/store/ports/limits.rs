//! The states of rate limits, shared by all processes of a store.

use crate::{model::time::Timestamp, store::ports::future::StoreFuture};

/// One bucket as it is stored. What its state means is nothing that the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRow {
    /// The store's time when the row was read.
    pub now: Timestamp,
    /// 0 for a bucket that is not stored yet.
    pub version: i64,
    /// What the last [`Limits::swap`] wrote.
    pub state: Option<String>,
}

/// See the module. Lost when the machine loses power: by then every window is over.
pub trait Limits: Send + Sync {
    /// A bucket.
    fn read<'a>(&'a self, bucket: &'a str) -> StoreFuture<'a, LimitRow>;
    /// Replaces the state of a bucket whose version is still `version`, raising it by one; whether
    /// it was. A lost answer counts as a swap that happened.
    fn swap<'a>(&'a self, bucket: &'a str, version: i64, state: String) -> StoreFuture<'a, bool>;
    /// Removes buckets that nobody has swapped since; how many.
    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64>;
}
