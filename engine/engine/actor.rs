//! Who asks for something that is written down.

/// By whom, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `command line`, or the id of a key.
    pub who: String,
    /// The address, if it came over a network.
    pub source: Option<String>,
}

impl Actor {
    /// Whoever uses this machine.
    pub fn command_line() -> Self {
        Self { who: "command line".to_owned(), source: None }
    }
}
