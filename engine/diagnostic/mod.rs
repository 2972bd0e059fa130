//! What is wrong, where, and what to do: the shape of every message to authors and callers.

mod explain;
mod place;
mod nearest;
mod report;
pub mod render;

pub use explain::Explain;
pub use nearest::{nearest, suggest};
pub use place::{Place, Position, SourceFile};
pub use report::{Diagnostic, Diagnostics, MOST, Severity};
