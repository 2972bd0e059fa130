//! How much one server takes.

use std::time::Duration;

/// How much one server takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the head of the first request of a connection is there.
    pub head: Duration,
    /// Of a head, in bytes; at least 8192.
    pub max_head: usize,
    /// Until a body is there, where all of it is read at once; else between two pieces.
    pub body: Duration,
    /// Of a body that is read at once, in bytes.
    pub max_body: usize,
    /// How long a connection without a request is kept, and one whose client takes nothing of an
    /// answer.
    pub idle: Duration,
    /// At once.
    pub connections: usize,
    /// At once, of all connections.
    pub requests: usize,
}

impl Limits {
    /// For one person on this machine.
    pub const LOCAL: Self = Self {
        head: Duration::from_secs(10),
        max_head: 64 * 1024,
        body: Duration::from_secs(30),
        max_body: 10_000_000,
        idle: Duration::from_secs(10),
        connections: 256,
        requests: 256,
    };
}
