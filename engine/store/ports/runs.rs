//! The records of runs. They are bounded and not durable: a store that has too much to do drops
//! notes, and counts them, before it keeps a run waiting.

use crate::{
    model::{
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
    store::ports::future::StoreFuture,
};

/// See the module.
pub trait Runs: Send + Sync {
    /// Records that a run began.
    fn begin(&self, run: RunRecord) -> StoreFuture<'_, ()>;
    /// Adds attempts to a run, soon, and its end if it has one; for whoever cannot wait.
    fn note(&self, run: RunRecord, attempts: Vec<AttemptRecord>);
    /// Records attempts and the end of a run, in one go.
    fn finish(&self, run: RunRecord, attempts: Vec<AttemptRecord>) -> StoreFuture<'_, ()>;
    /// One run; an unambiguous beginning of the id will do.
    fn get<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<RunRecord>>;
    /// The attempts of a run, in order.
    fn attempts<'a>(&'a self, run: &'a str) -> StoreFuture<'a, Vec<AttemptRecord>>;
    /// Newest first.
    fn page(&self, filter: RunFilter) -> StoreFuture<'_, Vec<RunRecord>>;
    /// Removes finished runs that began before, at most `limit`; how many.
    fn prune(&self, before: Timestamp, limit: u32) -> StoreFuture<'_, u64>;
}

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this integration.
    pub integration: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// Of this connection.
    pub connection: Option<String>,
    /// In this state.
    pub status: Option<RunStatus>,
    /// At most so many.
    pub limit: u32,
}
