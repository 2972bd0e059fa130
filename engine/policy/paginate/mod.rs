//! Pagination: the walk from page to page, and a file for each kind of it.

pub mod end;
pub mod cursor;
pub mod link;
pub mod next_url;
pub mod offset;
pub mod page;
pub mod range;
pub mod once;
mod walk;

pub use walk::{Advance, PageFacts, Resume, Walk, WalkError};
