//! JSON values: whether two are the same, which is larger, and what lies inside of one. And bytes
//! that every room needs: random ones, and their hexadecimal digits.

mod compare;
pub mod path;
pub mod hex;
pub mod random;

pub use compare::{canonical, equal, order};
