//! What a template can see, and how reading or evaluating one fails.

use std::borrow::Cow;

use http::header::InvalidHeaderValue;
use serde_json::Value;

use crate::model::time::Timestamp;

/// Why a text is no template, or a template does not fit its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Lower-case start, no full stop.
    pub message: String,
    /// Byte offset within the text.
    pub offset: usize,
    /// Bytes to underline, at least 1.
    pub len: usize,
    /// What the author can do.
    pub hint: Option<String>,
}

/// The names that a template can see, with their values.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    names: Vec<(Cow<'a, str>, &'a Value)>,
    /// What `now` is.
    pub now: Timestamp,
    /// Absence needs no permission (`error`, `message`, `save`, `account`).
    pub lenient: bool,
}

impl<'a> Scope<'a> {
    /// An empty scope.
    pub fn new(now: Timestamp) -> Self {
        Self { names: Vec::new(), now, lenient: false }
    }

    /// Binds a name; a later binding hides an earlier one.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'a, str>>, value: &'a Value) -> Self {
        self.names.push((name.into(), value));
        self
    }

    /// Gives the latest name another value: for loops, which bind one name again and again.
    pub fn rebind(&mut self, value: &'a Value) {
        if let Some((_, last)) = self.names.last_mut() {
            *last = value;
        }
    }

    /// The value of a root.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.names.iter().rev().find(|(n, _)| n == name).map(|(_, value)| *value)
    }
}

/// Why an evaluation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Lower-case start, no full stop; names the expression, never quotes values of `credentials`.
    pub message: String,
    /// The culprit came from `input`: the caller's fault (`invalid_input`), else the files'.
    pub from_input: bool,
}

impl From<InvalidHeaderValue> for Fault {
    fn from(_: InvalidHeaderValue) -> Self {
        Self::new("a header has no line breaks or other control characters")
    }
}

impl Fault {
    /// A fault of the files.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), from_input: false }
    }
}
