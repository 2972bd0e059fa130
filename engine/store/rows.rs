//! Rows ↔ the model.

use rusqlite::Row;
use serde_json::Value;

use crate::{
    model::{
        connection::{Connection, ConnectionStatus},
        failure::{Code, Failure},
        http::Method,
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
    store::{fault::Fault, port::Error, process, ring::Ring, seal},
};

/// The columns that [`connection`] reads.
pub const CONNECTION: &str = r#"integration, id, status, status_reason, "values", metadata,
    account_id, account_name, sandbox, scopes, credentials, version, created_at, updated_at, last_used_at,
    last_refreshed_at, refresh_failure, refresh_retry_at"#;

/// The columns that [`run`] reads.
pub const RUN: &str = "id, process, integration, action, connection, sandbox, status, failure,
    started_at, finished_at, attempts, waited_ms";

/// The columns that [`attempt`] reads.
pub const ATTEMPT: &str = "step, item, page, attempt, started_at, duration_ms, waited_ms, method,
    url, status, outcome, message, detail";

/// What an attempt can have come to; anything else was written by another version.
const OUTCOMES: [&str; 11] = [
    "ok",
    "retry",
    "rate_limited",
    "refresh",
    "reauthorize",
    "error",
    "connect",
    "refused",
    "timeout",
    "broken",
    "cancelled",
];

/// A connection, unsealed.
pub fn connection(row: &Row<'_>, ring: &Ring) -> Result<Connection, Fault> {
    let integration: String = row.get("integration")?;
    let id: String = row.get("id")?;
    let sealed = row.get_ref("credentials")?.as_blob().map_err(rusqlite::Error::from)?;
    let credentials = ring
        .unseal_credentials(&integration, &id, sealed)
        .map_err(|error| unopened(error, &integration, &id))?;
    let status: String = row.get("status")?;
    Ok(Connection {
        status: ConnectionStatus::parse(&status).ok_or(Fault::Column("connections.status"))?,
        status_reason: row.get("status_reason")?,
        values: json(row, "values")?,
        metadata: json(row, "metadata")?,
        account_id: row.get("account_id")?,
        account_name: row.get("account_name")?,
        sandbox: row.get("sandbox")?,
        scopes: scopes(row)?,
        credentials,
        version: row.get("version")?,
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
        last_used_at: time(row, "last_used_at")?,
        last_refreshed_at: time(row, "last_refreshed_at")?,
        refresh_failure: row.get("refresh_failure")?,
        refresh_retry_at: time(row, "refresh_retry_at")?,
        integration,
        id,
    })
}

fn scopes(row: &Row<'_>) -> Result<Option<Vec<String>>, Fault> {
    let Some(text) = row.get::<_, Option<String>>("scopes")? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|_| Fault::Column("connections.scopes"))
}

/// Which error it is that credentials do not open.
fn unopened(error: seal::Error, integration: &str, id: &str) -> Error {
    match error {
        seal::Error::OtherKey | seal::Error::Damaged => {
            Error::Tampered { integration: integration.to_owned(), id: id.to_owned() }
        }
        seal::Error::NoRandom => Error::Key { reason: error.to_string() },
    }
}

/// A run. One whose process died shows as interrupted.
pub fn run(row: &Row<'_>) -> Result<RunRecord, Fault> {
    let status: String = row.get("status")?;
    let mut status = RunStatus::parse(&status).ok_or(Fault::Column("runs.status"))?;
    if status == RunStatus::Running && process::is_gone(&row.get::<_, String>("process")?) {
        status = RunStatus::Interrupted;
    }
    Ok(RunRecord {
        id: row.get("id")?,
        integration: row.get("integration")?,
        action: row.get("action")?,
        connection: row.get("connection")?,
        sandbox: row.get("sandbox")?,
        status,
        failure: row.get::<_, Option<String>>("failure")?.map(|text| failure(&text)).transpose()?,
        started_at: Timestamp(row.get("started_at")?),
        finished_at: time(row, "finished_at")?,
        attempts: unsigned(row.get("attempts")?),
        waited_ms: unsigned(row.get("waited_ms")?),
    })
}

/// One attempt of a run.
pub fn attempt(row: &Row<'_>) -> Result<AttemptRecord, Fault> {
    let method: String = row.get("method")?;
    let outcome: String = row.get("outcome")?;
    let detail: Option<String> = row.get("detail")?;
    let detail = detail.map(|text| serde_json::from_str(&text)).transpose();
    Ok(AttemptRecord {
        step: row.get("step")?,
        item: row.get::<_, Option<i64>>("item")?.map(unsigned),
        page: row.get("page")?,
        attempt: row.get("attempt")?,
        started_at: Timestamp(row.get("started_at")?),
        duration_ms: unsigned(row.get("duration_ms")?),
        waited_ms: unsigned(row.get("waited_ms")?),
        method: Method::parse(&method).ok_or(Fault::Column("attempts.method"))?.as_str(),
        url: row.get("url")?,
        status: row.get("status")?,
        outcome: OUTCOMES.into_iter().find(|known| *known == outcome).unwrap_or("unknown"),
        message: row.get("message")?,
        detail: detail.map_err(|_| Fault::Column("attempts.detail"))?,
    })
}

/// For integer columns: SQLite has no unsigned ones.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn time(row: &Row<'_>, column: &'static str) -> Result<Option<Timestamp>, Fault> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

fn json(row: &Row<'_>, column: &'static str) -> Result<Value, Fault> {
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    serde_json::from_str(text).map_err(|_| Fault::Column(column))
}

/// Reads what [`Failure::to_json`] wrote.
fn failure(text: &str) -> Result<Failure, Fault> {
    const WRONG: Fault = Fault::Column("runs.failure");
    let mut value: Value = serde_json::from_str(text).map_err(|_| WRONG)?;
    let map = value.as_object_mut().ok_or(WRONG)?;
    let detail = map.shift_remove("detail");
    let words = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = words("code").as_deref().and_then(Code::parse).ok_or(WRONG)?;
    let retry_at = words("retry_at").and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let status = map.get("status").and_then(Value::as_u64);
    Ok(Failure {
        code,
        message: words("message").ok_or(WRONG)?,
        detail,
        hint: words("hint"),
        status: status.and_then(|status| u16::try_from(status).ok()),
        step: words("step"),
        retry_at: retry_at.map(|time| Timestamp(time.as_millisecond())),
        maybe_executed: map.get("maybe_executed") == Some(&Value::Bool(true)),
    })
}
