//! Who does what only one process of a store should do: pruning, the rotation of keys.

use std::time::Duration;

use crate::store::ports::future::StoreFuture;

/// See the module. What must never happen twice needs a fence in its own row as well.
pub trait Leases: Send + Sync {
    /// Takes a lease that is free or over, or prolongs the holder's own; its fence, which grows
    /// with every new holder. `None`: another has it.
    fn take<'a>(
        &'a self,
        key: &'a str,
        holder: &'a str,
        term: Duration,
    ) -> StoreFuture<'a, Option<i64>>;
    /// Gives it back; nothing happens if it is not the holder's any more.
    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()>;
}
