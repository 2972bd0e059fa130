//! How a running engine stands.

use serde::Serialize;

use crate::model::time::Timestamp;

/// How a running engine stands.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Of the engine.
    pub version: &'static str,
    /// Of the store.
    pub environment: String,
    /// The folder with the files; `null` for the built-in catalog alone.
    pub project: Option<String>,
    /// The database file.
    pub store: String,
    /// Its time.
    pub now: Timestamp,
    /// How many connections are stored.
    pub connections: u64,
    /// Tokens of deleted connections that their vendors have not taken back yet.
    pub pending_revocations: usize,
}
