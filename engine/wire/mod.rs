//! The network, behind one trait.

pub mod port;

pub use port::{Error, Wire};
