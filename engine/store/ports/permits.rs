//! Requests that may be under way at once, counted by all processes of a store.

use std::time::Duration;

use crate::store::ports::future::StoreFuture;

/// See the module. Places come back when they are given back, and else with their term: at once,
/// where the holder's process is surely gone. Lost when the machine loses power.
pub trait Permits: Send + Sync {
    /// Sets how many places of a bucket a holder has, from now for a term: to take the first ones,
    /// to prolong them, to take more, and, with `wanted` 0, to give all of them back. Says how many
    /// it has now: less than `wanted` where others hold the rest, but never less than `wanted` or
    /// what it had, whichever is less, as long as its last term lasts and `most` is not lowered.
    ///
    /// Whoever holds places counts the term from before the call, on the boot clock, and sends a
    /// request only if that is over, at the latest, before the term is.
    fn hold(&self, ask: PermitAsk) -> StoreFuture<'_, u32>;
}

/// What [`Permits::hold`] is asked.
#[derive(Debug, Clone)]
pub struct PermitAsk {
    /// The limit.
    pub bucket: String,
    /// Who holds the places; unique among all processes.
    pub holder: String,
    /// How many places the bucket has.
    pub most: u32,
    /// How many of them the holder wants to have, all in all.
    pub wanted: u32,
    /// For how long.
    pub term: Duration,
}
