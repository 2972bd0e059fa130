//! The network, behind one trait.
//!
//! A request is judged twice before a byte leaves: address literals by [`guard`] on the parsed URL,
//! names by [`resolver`] on the very addresses that are connected to, so that no second answer of
//! the name server can slip past. [`live`] sends, and hands out the answer when its head is there;
//! the body follows under its limits ([`answer`]). A redirect is an answer like any other. Reads go
//! through a pooling client; writes, which must not be lost, through connections that are known to
//! be alive (`pool`, `direct`), and so does all that takes a tunnel through a [`proxy`]. [`failure`] puts what went wrong into our words.

pub mod error;
mod deadline;
pub mod answer;
pub mod port;
pub mod guard;
pub mod tls;
pub mod resolver;
pub mod failure;
mod outgoing;
mod coding;
pub mod proxy;
mod dial;
mod pool;
mod direct;
pub mod live;

pub use answer::{Answer, Body};
pub use coding::beginning;
pub use error::Error;
pub use live::{Live, LiveSettings, SetupError};
pub use port::{Exchange, Wire};
pub use proxy::{Exception, ProxySettings, Resolve};
