//! A starter project that was made.

use serde::Serialize;

/// What was made, and what was there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Starter {
    /// The project's folder.
    pub folder: String,
    /// Its files.
    pub files: Vec<StarterFile>,
}

/// A file of a starter project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StarterFile {
    /// Relative to the folder.
    pub file: &'static str,
    /// `written`, or `kept` if it was there already.
    pub state: &'static str,
}
