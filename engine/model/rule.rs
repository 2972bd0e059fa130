//! Rules: what an API's answers mean.

use std::time::Duration;

use regex::Regex;
use serde_json::{Number, Value};

use crate::model::{
    failure::Code,
    http::HeaderName,
    template::{Shape, Template},
};

/// `when` match → `is` outcome. First match wins.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Which answers it is for.
    pub when: When,
    /// What they mean.
    pub is: OutcomeKind,
    /// With `error`: the code.
    pub code: Option<Code>,
    /// With `error`, `reauthorize`: the message; else the blueprint's `error.message`.
    pub message: Option<Template>,
    /// With `rate_limited` and `retry`: first that yields.
    pub wait: Vec<Wait>,
    /// With `ok`: replaces the body.
    pub value: Option<Shape>,
}

/// `is` of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// Success.
    Ok,
    /// Temporary; repeated only if the step is idempotent.
    Retry,
    /// Rejected, not executed; repeated whatever the method.
    RateLimited,
    /// A new token is needed.
    Refresh,
    /// The connection needs a person.
    Reauthorize,
    /// The step ends.
    Error,
}

impl OutcomeKind {
    /// As it stands in files: `rate_limited`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Retry => "retry",
            Self::RateLimited => "rate_limited",
            Self::Refresh => "refresh",
            Self::Reauthorize => "reauthorize",
            Self::Error => "error",
        }
    }
}

/// What an answer means: the verdict of `policy::classify`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The kind.
    pub kind: OutcomeKind,
    /// With `Error`: which; with the others the code that the failure will have if it ends so.
    pub code: Code,
    /// For people, from the rule or the blueprint's `error.message`; empty when `Ok`.
    pub message: String,
    /// The blueprint's `error.detail`.
    pub detail: Option<Value>,
    /// How long the API wants us to wait, if it says.
    pub wait: Option<Duration>,
    /// With `Ok`: replaces the body.
    pub value: Option<Value>,
    /// Whose word it is.
    pub by: Judge,
}

/// Who said what an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judge {
    /// A rule of the step.
    Step,
    /// A rule of the blueprint or the entry.
    Blueprint,
    /// No rule fitted: the status alone.
    Status,
}

/// `when` of a rule.
#[derive(Debug, Clone)]
pub enum When {
    /// All given parts must fit.
    Match(Match),
    /// One boolean expression over `status`, `headers`, `body`.
    Expr(Template),
}

/// `{status, header, body}`.
#[derive(Debug, Clone, Default)]
pub struct Match {
    /// Any of them; empty means every status.
    pub status: Vec<StatusMatch>,
    /// Name and pattern of its first value (a string).
    pub header: Vec<(HeaderName, Pattern)>,
    /// Pattern of the body.
    pub body: Option<Pattern>,
}

/// A status or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMatch {
    /// `404`
    Is(u16),
    /// `5xx` is `Class(5)`.
    Class(u8),
}

/// A pattern of the formats. Against a list in the answer it fits if any element does.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Same type and value (numbers compare by value).
    Is(Value),
    /// Any of them.
    Any(Vec<Self>),
    /// All members fit; other members are of no interest.
    Keys(Vec<(String, Self)>),
    /// `{$regex}` on a string.
    Regex(Regex),
    /// `{$exists}`: present and not null.
    Exists(bool),
    /// `{$not}`
    Not(Box<Self>),
    /// `{$gte}` on a number.
    Gte(Number),
    /// `{$lt}` on a number.
    Lt(Number),
    /// Several `$` operators side by side: all must fit.
    All(Vec<Self>),
}

/// One way to learn how long to wait.
#[derive(Debug, Clone)]
pub enum Wait {
    /// `30s`
    For(Duration),
    /// Told by the answer.
    At(Locator),
}

/// Where in an answer a number or a time stands.
#[derive(Debug, Clone)]
pub struct Locator {
    /// Header or body.
    pub from: Source,
    /// First group, or the whole match without one.
    pub regex: Option<Regex>,
    /// How to read it.
    pub unit: Unit,
}

/// Where a locator looks.
#[derive(Debug, Clone)]
pub enum Source {
    /// The first value of a header field.
    Header(HeaderName),
    /// An expression over `body`.
    Body(Template),
}

/// The unit of a located value; named, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Relative; decimals allowed. In a Retry-After also an HTTP date.
    Seconds,
    /// Relative milliseconds.
    Ms,
    /// Absolute, seconds since 1970.
    EpochS,
    /// Absolute, milliseconds since 1970.
    EpochMs,
    /// Absolute, one of the three forms of RFC 9110.
    HttpDate,
    /// Absolute, ISO 8601.
    Iso,
    /// Relative, with its units: `1m30s`.
    Span,
    /// A count, no time.
    Number,
}
