//! How often and how long a request is repeated.

use std::time::Duration;

/// `retry:` of a blueprint, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// All tries together, the first one included; at least one.
    pub attempts: u32,
    /// The first back-off, doubled each time.
    pub initial: Duration,
    /// The longest back-off.
    pub max: Duration,
    /// The time that all waits of one request may take together.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            budget: Duration::from_mins(2),
        }
    }
}
