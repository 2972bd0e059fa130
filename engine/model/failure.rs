//! How a run fails, as data.

use std::fmt;

use serde_json::Value;

use crate::model::time::Timestamp;

/// The stable codes that callers can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The caller's input was refused, by its schema or by the API.
    InvalidInput,
    /// The connection has no credentials that the API accepts.
    Unauthorized,
    /// The account may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It clashes with what is there.
    Conflict,
    /// The account has to pay first, or its payment was declined.
    PaymentRequired,
    /// Too fast, and waiting would take longer than the budget.
    RateLimited,
    /// The API failed, or answered what nobody can read.
    ProviderError,
    /// No answer in time.
    Timeout,
    /// The action's output does not match its `returns`.
    InvalidOutput,
    /// A template of the blueprint or action met a value that it cannot work with.
    Template,
    /// Stopped by a signal or by the caller.
    Cancelled,
    /// The engine's own world is broken: its store, its memory, its disk.
    Internal,
}

impl Code {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::InvalidInput,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::PaymentRequired,
        Self::RateLimited,
        Self::ProviderError,
        Self::Timeout,
        Self::InvalidOutput,
        Self::Template,
        Self::Cancelled,
        Self::Internal,
    ];

    /// As it stands in files and answers: `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::PaymentRequired => "payment_required",
            Self::RateLimited => "rate_limited",
            Self::ProviderError => "provider_error",
            Self::Timeout => "timeout",
            Self::InvalidOutput => "invalid_output",
            Self::Template => "template",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }

    /// Reads `not_found`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run, a step or an item failed. Holds no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// For programs.
    pub code: Code,
    /// For people; lower-case start, no full stop, unless it is the API's own sentence.
    pub message: String,
    /// The API's own words as data, by the blueprint's `error.detail`.
    pub detail: Option<Value>,
    /// What the reader can do.
    pub hint: Option<String>,
    /// The HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The step.
    pub step: Option<String>,
    /// When it makes sense to try again.
    pub retry_at: Option<Timestamp>,
    /// The request may have taken effect although no answer says so.
    pub maybe_executed: bool,
}

impl Failure {
    /// A failure with a code and a sentence; the rest is empty.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
            hint: None,
            status: None,
            step: None,
            retry_at: None,
            maybe_executed: false,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The JSON form that all doors show: `{code, message, …}`, empty fields left out.
    pub fn to_json(&self) -> Value {
        let mut map = serde_json::Map::new();
        map.insert("code".into(), self.code.as_str().into());
        map.insert("message".into(), self.message.clone().into());
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value);
            }
        };
        put("detail", self.detail.clone());
        put("hint", self.hint.clone().map(Value::from));
        put("status", self.status.map(Value::from));
        put("step", self.step.clone().map(Value::from));
        put("retry_at", self.retry_at.map(|time| time.to_string().into()));
        put("maybe_executed", self.maybe_executed.then_some(Value::Bool(true)));
        Value::Object(map)
    }
}
