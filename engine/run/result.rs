//! What a run came to.

use std::fmt;

use serde_json::Value;

use crate::model::{failure::Failure, pagination::Cut, record::RunRecord};

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// As recorded.
    pub record: RunRecord,
    /// The output, or why there is none.
    pub output: Result<Value, Failure>,
    /// What the caller should know although the run did not fail for it.
    pub warnings: Vec<Warning>,
}

impl RunResult {
    /// Why a list was cut, so that there may be more than the output holds.
    pub fn cut(&self) -> Option<Cut> {
        self.warnings.iter().find_map(|warning| match warning {
            Warning::Truncated { by, .. } => Some(*by),
            Warning::Returns { .. } => None,
        })
    }
}

/// Something that the caller should know.
#[derive(Debug, Clone, PartialEq, Eq)]
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
