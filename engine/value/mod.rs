//! JSON values: whether two are the same, which is larger, and what lies inside of one. And what
//! every room needs: patterns of names, random bytes, and their hexadecimal digits.

mod compare;
pub mod path;
pub mod glob;
pub mod hex;
pub mod random;

pub use compare::{canonical, equal, order};
