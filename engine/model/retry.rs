//! How often and how long a request is repeated.

use std::time::Duration;

use crate::model::limit::Rate;

/// `retry:` of a blueprint, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// All tries together, the first one included; at least one.
    pub attempts: u32,
    /// The first back-off, doubled each time.
    pub initial: Duration,
    /// The longest back-off.
    pub max: Duration,
    /// From the first try on, exchanges included: no wait begins that would end later.
    pub budget: Duration,
    /// Of the requests to a host, so many of a hundred may be repeated after a failure …
    pub share: u32,
    /// … and so many in any case. Both are counted over ten seconds.
    pub floor: Rate,
}

/// `circuit:` of a blueprint, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitPolicy {
    /// So many failures in a row open the circuit of a host; 0 never does.
    pub failures: u32,
    /// For so long nothing is sent to it; then one request tries.
    pub open: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            budget: Duration::from_mins(2),
            share: 20,
            floor: Rate { count: 10, window: Duration::from_secs(1) },
        }
    }
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self { failures: 10, open: Duration::from_secs(10) }
    }
}
