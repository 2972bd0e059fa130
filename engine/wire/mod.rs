//! The network, behind one trait.
//!
//! A request is judged twice before a byte leaves: address literals by [`guard`] on the parsed URL,
//! names by [`resolver`] on the very addresses that are connected to, so that no second answer of
//! the name server can slip past. [`live`] sends, follows what [`redirect`] allows, and reads the
//! answer up to its cap; [`failure`] puts what went wrong into our words.

pub mod port;
pub mod guard;
pub mod tls;
pub mod redirect;
pub mod resolver;
pub mod failure;
pub mod live;

pub use live::{Live, LiveSettings, SetupError};
pub use port::{Error, Exchange, Wire};
