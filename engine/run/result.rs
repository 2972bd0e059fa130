//! What a run came to.

use std::fmt;

use serde_json::Value;

use crate::model::{failure::Failure, record::RunRecord};

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
    /// Whether a list was cut, so that there is more than the output holds.
    pub fn is_truncated(&self) -> bool {
        self.warnings.iter().any(|warning| matches!(warning, Warning::Truncated { .. }))
    }
}

/// Something that the caller should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Pagination reached `max_items` or `max_pages`, and the API has more.
    Truncated {
        /// The step.
        step: String,
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
            Self::Truncated { step } => {
                write!(f, "step `{step}` stopped at its maximum; there is more")
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
                Warning::Truncated { step: "x".into() },
                "step `x` stopped at its maximum; there is more",
            ),
        ] {
            assert_eq!(warning.to_string(), text);
        }
    }
}
