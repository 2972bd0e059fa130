//! What the engine asks of its memory: one trait a noun, asynchronous, object-safe.
//!
//! A method is one short transaction: no network, no sleep, no callback inside. What must change
//! together is one method. Stored times are the store's own; who holds a lease counts on the boot
//! clock, from before the call that took it.

use std::{future::Future, pin::Pin};

use crate::store::error::Error;

pub mod accounts;
pub mod secrets;
pub mod runs;
pub mod jobs;
pub mod consents;
pub mod limits;
pub mod leases;
pub mod audit;
pub mod revocations;
pub mod sealing;

/// What every method of a port returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;
