//! The catalog: what the files say.

pub mod tree;
mod scalar;
mod syntax;
pub mod yaml;
mod raw;
mod fault;
mod view;
pub mod decode;
pub mod env;
pub mod merge;
