//! What is kept of a run. Nothing secret gets here: it is made from requests without credentials.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::{
    failure::Failure,
    http::Method,
    name::{ActionName, ConnectionId, IntegrationKey, RunId},
    time::Timestamp,
};

/// One invocation of an action.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Time-ordered and unique.
    pub id: RunId,
    /// The integration.
    pub integration: IntegrationKey,
    /// The action's name, or `request` for `engine request`.
    pub action: ActionName,
    /// The connection's id.
    pub connection: ConnectionId,
    /// Whether it went to the sandbox.
    pub sandbox: bool,
    /// Where it stands.
    pub status: RunStatus,
    /// The failure, if it failed.
    pub failure: Option<Failure>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How many attempts it made.
    pub attempts: u64,
    /// How long it waited for limits and between tries, in milliseconds.
    pub waited_ms: u64,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Under way, in some process.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended with a failure.
    Failed,
    /// Stopped by a signal or its caller.
    Cancelled,
    /// Its process died.
    Interrupted,
}

impl RunStatus {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Interrupted];

    /// As it stands in columns and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads a column.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// One request of a run. Serialises without its empty fields.
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRecord {
    /// The step.
    pub step: String,
    /// Index of the item, within an `each`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// Page number, from 1.
    pub page: u32,
    /// Try number, from 1.
    pub attempt: u32,
    /// When it was sent.
    pub started_at: Timestamp,
    /// From sending to the last byte, in milliseconds.
    pub duration_ms: u64,
    /// How long it waited before, for a limit or a back-off, in milliseconds.
    pub waited_ms: u64,
    /// The method.
    #[serde(serialize_with = "method")]
    pub method: Method,
    /// The URL, without credentials, values of sensitive query parameters masked.
    pub url: String,
    /// The status, if an answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What it meant: `ok`, `retry`, `rate_limited` …, or `connect`, `timeout` …
    pub outcome: &'static str,
    /// The reason, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Heads and, at debug level, capped bodies: `{request: {headers, body?}, response: {…}}`. As
    /// JSON text, because it is written once and hardly ever read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<RawValue>>,
}

fn method<S: Serializer>(method: &Method, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(method.as_str())
}
