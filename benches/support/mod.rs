//! What the benchmarks share: an upstream in a process of its own, and the measuring of children.

pub mod measure;
pub mod upstream;
