//! How a run fails, as data.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::time::Timestamp;

/// The stable codes that callers can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// So many requests to the host failed in a row that none is sent for a while.
    CircuitOpen,
    /// The API failed, or answered what nobody can read.
    ProviderError,
    /// No answer in time.
    Timeout,
    /// The run has reached one of its own bounds.
    Limit,
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
    pub const ALL: [Self; 15] = [
        Self::InvalidInput,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::PaymentRequired,
        Self::RateLimited,
        Self::CircuitOpen,
        Self::ProviderError,
        Self::Timeout,
        Self::Limit,
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
            Self::CircuitOpen => "circuit_open",
            Self::ProviderError => "provider_error",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
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

/// Why a run, a step or an item failed. Holds no secret. Serialises without its empty fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// For programs.
    pub code: Code,
    /// For people; lower-case start, no full stop, unless it is the API's own sentence.
    pub message: String,
    /// The API's own words as data, by the blueprint's `error.detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// What the reader can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The HTTP status, if an answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// When it makes sense to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// A write was sent whose fate is unknown: it may have taken effect although no answer says so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub maybe_executed: bool,
    /// How many writes the API has answered with success; of a run.
    #[serde(skip_serializing_if = "is_zero")]
    pub executed: u64,
    /// The first 100 of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<Write>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A write that the API has answered with success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The step's id, or `request`.
    pub step: String,
    /// Index of the item, within an `each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// Which page, from 1.
    pub page: u32,
    /// `POST` …
    pub method: String,
    /// The answer's.
    pub status: u16,
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
            executed: 0,
            writes: Vec::new(),
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `{code, message, …}`
    pub fn to_json(&self) -> Value {
        // Text, numbers and JSON: nothing in it can fail to serialise.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Reads what [`Failure::to_json`] wrote, of any version: a code that this one does not know
    /// stands before the message. `None` if it is no failure at all.
    pub fn from_json(value: Value) -> Option<Self> {
        let Value::Object(mut map) = value else { return None };
        let detail = map.shift_remove("detail");
        let words = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
        let (code, message) = (words("code")?, words("message")?);
        let (code, message) = match Code::parse(&code) {
            Some(code) => (code, message),
            None => (Code::Internal, format!("{code}: {message}")),
        };
        let retry_at = words("retry_at").and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let status = map.get("status").and_then(Value::as_u64);
        Some(Self {
            code,
            message,
            detail,
            hint: words("hint"),
            status: status.and_then(|status| u16::try_from(status).ok()),
            step: words("step"),
            retry_at: retry_at.map(|time| Timestamp(time.as_millisecond())),
            maybe_executed: map.get("maybe_executed") == Some(&Value::Bool(true)),
            executed: map.get("executed").and_then(Value::as_u64).unwrap_or(0),
            writes: map
                .get("writes")
                .and_then(|writes| serde_json::from_value(writes.clone()).ok())
                .unwrap_or_default(),
        })
    }
}
