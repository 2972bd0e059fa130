//! JSON values: whether two are the same, which is larger, and what lies inside of one.

mod compare;
pub mod path;

pub use compare::{canonical, equal, order};
