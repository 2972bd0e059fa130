//! The catalog: what the files say.

pub mod tree;
pub mod scalar;
pub mod syntax;
pub mod yaml;
pub mod decode;
pub mod env;
pub mod merge;
