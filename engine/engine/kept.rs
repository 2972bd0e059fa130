//! The result of a run as it is kept under an idempotency key. The store seals it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::{CallCode, Error},
    model::{
        failure::{Code, Failure, Write},
        name::{ActionName, RunId},
        record::{RunRecord, RunStatus},
        time::Timestamp,
    },
    run::{Invocation, Repeat, RunResult, Warning},
};

/// A larger result is not kept, only that there was one: in bytes.
const LARGEST: usize = 16_000_000;

#[derive(Serialize, Deserialize)]
struct Kept {
    run: String,
    started_at: i64,
    finished_at: Option<i64>,
    attempts: u64,
    waited_ms: u64,
    outcome: Outcome,
    warnings: Vec<Warning>,
    failed: u64,
    executed: u64,
    writes: Vec<Write>,
    maybe_executed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Output(Value),
    Error(Value),
    /// The output was too large.
    TooLarge,
}

/// The bytes to be kept.
pub fn seal(result: &RunResult) -> Vec<u8> {
    let RunResult { record, output, warnings, failed, executed, writes, maybe_executed, .. } =
        result;
    let mut kept = Kept {
        run: record.id.to_string(),
        started_at: record.started_at.0,
        finished_at: record.finished_at.map(|time| time.0),
        attempts: record.attempts,
        waited_ms: record.waited_ms,
        outcome: match output {
            Ok(output) => Outcome::Output(output.clone()),
            Err(failure) => Outcome::Error(failure.to_json()),
        },
        warnings: warnings.clone(),
        failed: *failed,
        executed: *executed,
        writes: writes.clone(),
        maybe_executed: *maybe_executed,
    };
    // Text, numbers and JSON: nothing in it can fail to serialise.
    let bytes = serde_json::to_vec(&kept).unwrap_or_default();
    if bytes.len() <= LARGEST {
        return bytes;
    }
    kept.outcome = Outcome::TooLarge;
    serde_json::to_vec(&kept).unwrap_or_default()
}

/// What [`seal`] kept, of a call that asks for the same as `invocation`.
pub fn open(
    bytes: &[u8],
    invocation: &Invocation,
    action: &ActionName,
) -> Result<RunResult, Error> {
    let unreadable = || {
        Error::call(
            CallCode::IdempotencyResult,
            "the result that is kept under this idempotency key was written by another version",
            "`engine logs` has the run; to do it again, give another key",
        )
    };
    let kept: Kept = serde_json::from_slice(bytes).map_err(|_| unreadable())?;
    let id: RunId = kept.run.parse().map_err(|_| unreadable())?;
    let output = match kept.outcome {
        Outcome::Output(output) => Ok(output),
        Outcome::Error(failure) => Err(Failure::from_json(failure).ok_or_else(unreadable)?),
        Outcome::TooLarge => {
            return Err(Error::call(
                CallCode::IdempotencyResult,
                format!(
                    "`{id}` has done this under the same idempotency key, and its result is \
                         too large to be kept"
                ),
                "to do it again, give another key",
            ));
        }
    };
    let status = match &output {
        Ok(_) => RunStatus::Succeeded,
        Err(failure) if failure.code == Code::Cancelled => RunStatus::Cancelled,
        Err(_) => RunStatus::Failed,
    };
    let record = RunRecord {
        id,
        integration: invocation.integration.name.clone(),
        action: action.clone(),
        connection: invocation.connection.clone(),
        sandbox: invocation.base_url.is_some(),
        status,
        failure: output.as_ref().err().cloned(),
        started_at: Timestamp(kept.started_at),
        finished_at: kept.finished_at.map(Timestamp),
        attempts: kept.attempts,
        waited_ms: kept.waited_ms,
    };
    Ok(RunResult {
        record,
        output,
        warnings: kept.warnings,
        failed: kept.failed,
        executed: kept.executed,
        writes: kept.writes,
        maybe_executed: kept.maybe_executed,
        repeat: Repeat::Never,
        request_key: None,
        stored: true,
    })
}
