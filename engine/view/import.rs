//! What an import of connections came to.

use serde::Serialize;

use crate::view::error::ErrorBody;

/// All lines.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Import {
    /// How many were stored.
    pub stored: u64,
    /// Those that were not.
    pub refused: Vec<RefusedLine>,
}

/// A line that was not stored. It is never quoted: it may hold secrets.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedLine {
    /// Why.
    #[serde(flatten)]
    pub body: ErrorBody,
    /// From 1.
    pub line: usize,
}
