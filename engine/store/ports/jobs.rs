//! Work that is known by a key of its caller: the same key twice is the same work once.
//! (Draft of the IETF: The Idempotency-Key HTTP Header Field.)

use std::time::Duration;

use crate::{model::time::Timestamp, store::ports::future::StoreFuture};

/// See the module.
pub trait Jobs: Send + Sync {
    /// Begins work under a key, or says what has become of it. Durable.
    fn claim(&self, ask: JobAsk) -> StoreFuture<'_, JobClaim>;
    /// Prolongs a claim by `term` from now. Whether it still counts: if not, another may work.
    fn beat(&self, job: JobHeld, term: Duration) -> StoreFuture<'_, bool>;
    /// Ends a claim. Whether it still counts. Durable.
    fn settle(&self, job: JobHeld, end: JobEnd) -> StoreFuture<'_, bool>;
    /// Removes what is kept no longer, a thousand at most; how many.
    fn expire(&self, before: Timestamp) -> StoreFuture<'_, u64>;
}

/// A key, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobKey {
    /// Keys of one scope are told apart: the integration and the connection, say.
    pub scope: String,
    /// The caller's.
    pub key: String,
}

/// What [`Jobs::claim`] is asked.
#[derive(Debug, Clone)]
pub struct JobAsk {
    /// The key.
    pub key: JobKey,
    /// Of the input: another one under the same key is refused.
    pub body_hash: String,
    /// Who works; unique among all processes.
    pub holder: String,
    /// A holder that neither settles nor beats within it is taken for dead.
    pub term: Duration,
    /// So long a key is known, from its first use.
    pub keep: Duration,
    /// Whether work may be done again that a dead holder may have done in part.
    pub repeatable: bool,
}

/// What [`Jobs::claim`] answers.
#[derive(Debug, PartialEq, Eq)]
pub enum JobClaim {
    /// It is the asker's to do.
    Granted(JobHeld),
    /// Another works on it: the holder.
    Running(String),
    /// This holder died over it, and it is not repeatable.
    Interrupted(String),
    /// It is done; its result.
    Done(Vec<u8>),
    /// The key is known with another input.
    Conflict,
}

/// What [`Jobs::settle`] leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// A result, which is sealed.
    Done(Vec<u8>),
    /// The same input may be worked on again.
    Again,
    /// Nothing was done: the key is as good as unknown.
    Free,
}

/// A claim that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobHeld {
    /// The key.
    pub key: JobKey,
    /// Grows with every claim of the key.
    pub claim: i64,
    /// Who holds it.
    pub holder: String,
}
