//! JSON values: whether two are the same, which is larger, how much they weigh, and what lies inside
//! of one. And what every room needs: patterns of names, random bytes, and their hexadecimal digits.

mod compare;
mod weight;
pub mod path;
pub mod glob;
pub mod hex;
pub mod random;

pub use compare::{canonical, equal, order};
pub use weight::weight;
