//! What a run came to.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    model::{
        failure::{Failure, Write},
        http::HeaderName,
        pagination::Cut,
        record::RunRecord,
    },
    run::writes::Repeat,
};

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// As recorded.
    pub record: RunRecord,
    /// The output, or why there is none.
    pub output: Result<Value, Failure>,
    /// What the caller should know although the run did not fail for it.
    pub warnings: Vec<Warning>,
    /// How many elements of `each` failed without ending the run.
    pub failed: u64,
    /// How many writes the API has answered with success.
    pub executed: u64,
    /// The first 100 of these.
    pub writes: Vec<Write>,
    /// Whether a write was sent whose fate is unknown.
    pub maybe_executed: bool,
    /// Whether the same work may be done again.
    pub repeat: Repeat,
    /// Of `engine request`: the field by which the API knows the request again.
    pub request_key: Option<RequestKey>,
    /// Whether it was stored before under the caller's idempotency key: nothing was sent now.
    pub stored: bool,
}

/// A header field with an idempotency key.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// Its name.
    pub header: HeaderName,
    /// Its value.
    pub key: String,
}

impl RunResult {
    /// Why a list was cut, so that there may be more than the output holds.
    pub fn cut(&self) -> Option<Cut> {
        self.warnings.iter().find_map(|warning| match warning {
            Warning::Truncated { by, .. } => Some(*by),
            Warning::Returns { .. } | Warning::NotKept => None,
        })
    }
}

/// Something that the caller should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// A list was cut, and the API may have more.
    Truncated {
        /// The step.
        step: String,
        /// Why.
        by: Cut,
    },
    /// The output breaks the action's `returns`. It is delivered all the same, because the run
    /// has taken effect.
    Returns {
        /// Where in the output, members joined by dots; empty for the whole of it.
        place: String,
        /// What is wrong there.
        message: String,
    },
    /// The result could not be kept under the caller's idempotency key.
    NotKept,
}

impl Warning {
    /// Whether it says that a list was cut.
    pub fn is_cut(&self) -> bool {
        matches!(self, Self::Truncated { .. })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { step, by: Cut::Repeated } => write!(
                f,
                "step `{step}` stopped at a page with the same rows as the page before it; \
                 there may be more"
            ),
            Self::Truncated { step, by } => {
                write!(f, "step `{step}` stopped at `{}`; there is more", by.as_str())
            }
            Self::NotKept => f.write_str(
                "the result could not be kept under its idempotency key: the same call would be \
                 made again",
            ),
            Self::Returns { place, message } if place.is_empty() => {
                write!(f, "the output does not match `returns`: {message}")
            }
            Self::Returns { place, message } => {
                write!(f, "the output does not match `returns`: `{place}` {message}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_names_its_place() {
        let returns =
            |place: &str| Warning::Returns { place: place.into(), message: "is wrong".into() };
        for (warning, text) in [
            (returns("a.b"), "the output does not match `returns`: `a.b` is wrong"),
            (returns(""), "the output does not match `returns`: is wrong"),
            (
                Warning::Truncated { step: "x".into(), by: Cut::MaxItems },
                "step `x` stopped at `max_items`; there is more",
            ),
            (
                Warning::Truncated { step: "x".into(), by: Cut::Repeated },
                "step `x` stopped at a page with the same rows as the page before it; there may \
                 be more",
            ),
        ] {
            assert_eq!(warning.to_string(), text);
        }
    }
}
