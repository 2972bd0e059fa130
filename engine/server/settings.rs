//! What a server is told when it starts.

use std::time::Duration;

use crate::http::Limits;

/// What a server is told when it starts.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// `host:port`, each listened on.
    pub listen: Vec<String>,
    /// All paths stand below it: `/x`, or empty.
    pub base_path: String,
    /// How much it takes.
    pub limits: Limits,
    /// How long requests under way may take to end.
    pub shutdown_timeout: Duration,
}
