//! What the engine asks of the network.

use std::pin::Pin;

use crate::{
    model::http::Authorized,
    wire::{answer::Answer, error::Error},
};

/// The future of one exchange, until the head of the answer is there.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>>;

/// Sends one request, and hands out the answer when its head is there. Follows nothing: a request
/// that goes on elsewhere is another one.
pub trait Wire: Send + Sync {
    /// One exchange.
    fn send<'a>(&'a self, request: &'a Authorized) -> Exchange<'a>;
}
