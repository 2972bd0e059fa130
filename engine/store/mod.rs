//! The engine's memory, behind one trait.

pub mod port;

pub use port::{Error, Store};
