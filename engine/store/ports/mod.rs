//! What the engine asks of its memory: one trait a noun, asynchronous, object-safe.
//!
//! A method is one short transaction: no network, no sleep, no callback inside. What must change
//! together is one method. Stored times are the store's own; who holds a lease counts on the boot
//! clock, from before the call that took it.

pub mod future;
pub mod accounts;
pub mod secrets;
pub mod runs;
pub mod jobs;
pub mod consents;
pub mod limits;
pub mod permits;
pub mod leases;
pub mod keys;
pub mod audit;
pub mod revocations;
pub mod sealing;

pub use future::StoreFuture;
