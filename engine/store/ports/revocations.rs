//! Tokens of deleted accounts that the vendor has not taken back yet.

use crate::{
    model::account::{AccountKey, Connection},
    store::ports::future::StoreFuture,
};

/// See the module. They are made by [`crate::store::ports::accounts::Accounts::retire`].
pub trait Revocations: Send + Sync {
    /// All, oldest first.
    fn pending(&self) -> StoreFuture<'_, Vec<Revocation>>;
    /// The account as it was; only names, values and credentials count.
    fn open(&self, number: i64) -> StoreFuture<'_, Option<Connection>>;
    /// Forgets one, or notes why it failed again. Durable.
    fn settle(&self, number: i64, reason: Option<String>) -> StoreFuture<'_, ()>;
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Given by the store.
    pub number: i64,
    /// Whose tokens they were.
    pub account: AccountKey,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed the last time; empty before the first.
    pub reason: String,
}
