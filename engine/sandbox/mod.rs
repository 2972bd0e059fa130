//! Plays an API: canned resources of a blueprint on a real HTTP server on loopback.

mod exchange;
mod cut;
mod respond;
mod server;

pub use server::{Log, Server};
