//! `Engine-Timeout`: how long the caller waits. The run ends then and says what it has done.

use std::time::Duration;

use crate::{
    engine::RunLimits,
    model::{
        failure::{Code, Failure},
        record::RunRecord,
        time::format_span,
    },
    server::{ask::Ask, problem::Problem},
};

/// The field.
const TIMEOUT: &str = "engine-timeout";

/// A caller's deadline, from the beginning of the run.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Duration>);

impl Deadline {
    /// Of a request, or none.
    pub fn of(ask: &Ask<'_>) -> Result<Self, Problem> {
        Ok(Self(ask.span(TIMEOUT)?))
    }

    /// The same, unless the files allow no more in any case: a caller does not raise that.
    #[must_use]
    pub fn within(self, usual: RunLimits) -> Self {
        Self(self.0.filter(|limit| usual.timeout.is_none_or(|most| *limit < most)))
    }

    /// As a bound of the run.
    pub fn limits(self) -> RunLimits {
        RunLimits { timeout: self.0, ..RunLimits::default() }
    }

    /// The failure of a run, in the caller's words if it was the deadline that ended it.
    pub fn explain(self, failure: Failure, record: &RunRecord) -> Failure {
        let took = record.finished_at.unwrap_or(record.started_at).since(record.started_at);
        match self.0 {
            Some(limit) if failure.code == Code::Limit && took >= limit => Failure {
                code: Code::Timeout,
                message: format!("the caller's deadline of {} is over", format_span(limit)),
                hint: Some("`Engine-Timeout` says how long the caller waits".to_owned()),
                ..failure
            },
            _ => failure,
        }
    }
}
