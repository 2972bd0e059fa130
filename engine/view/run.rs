//! Runs as they are recorded.

use serde::Serialize;

use serde_json::Value;

use crate::model::{
    failure::{Failure, Write},
    name::{ActionName, ConnectionId, IntegrationKey, RunId},
    pagination::Cut,
    record::{AttemptRecord, RunRecord, RunStatus},
    time::Timestamp,
};

/// The output of a run, and what a caller has to know to rely on it.
#[derive(Debug, Serialize)]
pub struct RunEnvelope<'a> {
    /// The run's id.
    pub run: &'a RunId,
    /// What the action gives.
    pub output: &'a Value,
    /// Whether a list was cut, so that there may be more.
    pub truncated: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated_by: Option<Cut>,
    /// How many elements of `each` failed.
    pub failed: u64,
    /// How many writes the API has answered with success.
    pub executed: u64,
    /// The first 100 of these.
    pub writes: &'a [Write],
    /// Whether a write was sent whose fate is unknown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub maybe_executed: bool,
    /// It is the stored result of an earlier call with the same idempotency key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stored: bool,
}

/// A run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Ordered by time, and unique.
    pub id: RunId,
    /// The integration.
    pub integration: IntegrationKey,
    /// The action, or `request`.
    pub action: ActionName,
    /// The connection's id.
    pub connection: ConnectionId,
    /// Whether it went to the sandbox.
    pub sandbox: bool,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// From beginning to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// For limits and between tries.
    pub waited_ms: u64,
    /// The requests that it made.
    pub attempts: Attempts,
}

/// The requests of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Attempts {
    /// In a list of runs: how many.
    Count(u64),
    /// Of a single run.
    Whole(Vec<AttemptRecord>),
}

impl Attempts {
    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Whole(list) => list.len() as u64,
        }
    }
}

impl From<RunRecord> for Run {
    fn from(record: RunRecord) -> Self {
        let RunRecord {
            id,
            integration,
            action,
            connection,
            sandbox,
            status,
            failure,
            started_at,
            finished_at,
            attempts,
            waited_ms,
        } = record;
        let took = finished_at.map(|end| end.since(started_at).as_millis());
        Self {
            id,
            integration,
            action,
            connection,
            sandbox,
            status,
            error: failure,
            started_at,
            finished_at,
            duration_ms: took.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
            waited_ms,
            attempts: Attempts::Count(attempts),
        }
    }
}
