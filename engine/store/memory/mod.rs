//! A store in memory: for tests. Nothing is sealed in it.

mod state;
mod accounts;
mod secrets;
mod rest;

pub use state::Memory;
