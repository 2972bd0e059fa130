//! The keys with which programs use the server.

use crate::{model::api_key::ApiKey, store::ports::future::StoreFuture};

/// See the module.
pub trait Keys: Send + Sync {
    /// Stores a new key. Durable.
    fn create(&self, key: ApiKey) -> StoreFuture<'_, ()>;
    /// The key with this digest, good or not.
    fn by_hash<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<ApiKey>>;
    /// The newest ones, revoked and expired ones too; a thousand at most.
    fn list(&self) -> StoreFuture<'_, Vec<ApiKey>>;
    /// Revokes a key, if it is not yet; as it is then. `None`: there is no such key. Durable.
    fn revoke<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<ApiKey>>;
    /// Grows with every key that is made or revoked, by any process: what was read under the same
    /// number still counts.
    fn revision(&self) -> StoreFuture<'_, i64>;
    /// Notes a use: soon, not durably, and not at all if the store has too much to do.
    fn used(&self, id: String);
}
