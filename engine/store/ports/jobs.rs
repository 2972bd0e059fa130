//! Work that is known by a key of its caller: the same key twice is the same work once.
//! (Draft of the IETF: The Idempotency-Key HTTP Header Field.)

use std::time::Duration;

use crate::{model::time::Timestamp, store::ports::future::StoreFuture};

/// See the module.
pub trait Jobs: Send + Sync {
    /// Begins work under a key, or says what has become of it. Durable.
    fn claim(&self, ask: JobAsk) -> StoreFuture<'_, JobClaim>;
    /// Stores the result of work, sealed; without one the key is free again. Whether the claim
    /// still counts. Durable.
    fn settle(&self, job: JobHeld, result: Option<Vec<u8>>) -> StoreFuture<'_, bool>;
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
    /// A holder that does not settle within it is taken for dead.
    pub term: Duration,
}

/// What [`Jobs::claim`] answers.
#[derive(Debug, PartialEq, Eq)]
pub enum JobClaim {
    /// It is the asker's to do. `begun_before`: an earlier holder may have done some of it.
    Granted {
        /// For [`Jobs::settle`].
        job: JobHeld,
        /// See above.
        begun_before: bool,
    },
    /// Another works on it.
    Running,
    /// It is done; its result.
    Done(Vec<u8>),
    /// The key is known with another input.
    Conflict,
}

/// A claim that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobHeld {
    /// The key.
    pub key: JobKey,
    /// Grows with every claim of the key.
    pub claim: i64,
}
