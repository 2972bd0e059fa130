//! A store in memory: for tests. Nothing is sealed in it.

mod state;
mod accounts;
mod secrets;
mod keys;
mod runs;
mod jobs;
mod consents;
mod limits;
mod permits;
mod leases;
mod audit;
mod revocations;
mod sealing;

pub use state::Memory;
