//! Who opened or changed what.

use crate::{
    model::{account::AccountKey, time::Timestamp},
    store::ports::future::StoreFuture,
};

/// See the module.
pub trait Audit: Send + Sync {
    /// Adds entries. Durable.
    fn append(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()>;
    /// Entries before a number (all without one), newest first.
    fn page(&self, before: Option<i64>, limit: u32) -> StoreFuture<'_, Vec<AuditRow>>;
    /// Removes entries that were made before, a thousand at most; how many.
    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64>;
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// By whom: `command line`, the name of an API key.
    pub who: String,
    /// What: `credentials.revealed`.
    pub what: String,
    /// On which account, if it was one.
    pub account: Option<AccountKey>,
    /// On what else: the id of a key.
    pub about: Option<String>,
    /// From which address, if it came over a network.
    pub source: Option<String>,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Grows.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub entry: AuditEntry,
}
