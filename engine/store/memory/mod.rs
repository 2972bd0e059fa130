//! A store in memory: for tests. Nothing is sealed in it.

mod state;
mod accounts;
mod secrets;
mod jobs;
mod rest;
mod keys;

pub use state::Memory;
