//! Plays an API: canned resources of a blueprint on a real HTTP server on loopback.

mod exchange;
mod cut;
mod respond;
mod consent;
mod oauth;
mod server;

pub use oauth::{AUTHORIZE, DEVICE, REVOKE, TEMPORARY, TOKEN};
pub use server::{Log, Open, Server};
