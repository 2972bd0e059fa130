//! `engine logs`: what was done.

use serde_json::{Map, Value, json};

use crate::{
    cli::{
        args::{self, Format},
        context::Cx,
        report::Exit,
        signals,
    },
    diagnostic::suggest,
    engine::Engine,
    error::Error,
    model::{
        failure::Failure,
        record::{AttemptRecord, RunRecord, RunStatus},
    },
    store::{RunFilter, Store},
};

/// Prints runs, or one run with its attempts.
pub fn logs(cx: &Cx, engine: &Engine, args: args::Logs) -> Result<Exit, Error> {
    if let Some(id) = &args.run {
        one(cx, engine.store()?, id)?;
    } else {
        let filter = filter(args)?;
        let store = engine.store()?;
        all(cx, &signals::wait(async { Ok(store.runs.page(filter).await?) })?);
    }
    Ok(Exit::Done)
}

fn filter(args: args::Logs) -> Result<RunFilter, Error> {
    let status = args.status.as_deref().map(|text| {
        RunStatus::parse(text).ok_or_else(|| Error::Call {
            code: "call.bad-argument",
            message: format!("`{text}` is no status of a run"),
            hint: suggest(text, RunStatus::ALL.map(RunStatus::as_str)),
        })
    });
    Ok(RunFilter {
        integration: args.integration,
        action: args.action,
        connection: args.connection,
        status: status.transpose()?,
        limit: args.limit,
    })
}

fn all(cx: &Cx, runs: &[RunRecord]) {
    match cx.format {
        Format::Table => cx.print(&runs.iter().map(row).collect()),
        Format::Json => cx.print(&json!({"runs": runs.iter().map(run).collect::<Value>()})),
        Format::Ndjson => cx.print(&runs.iter().map(run).collect()),
    }
}

fn one(cx: &Cx, store: &Store, id: &str) -> Result<(), Error> {
    let record = signals::wait(async { Ok(store.runs.get(id).await?) })?;
    let record = record.ok_or_else(|| Error::Call {
        code: "call.unknown-run",
        message: format!("there is no run `{id}`, or more than one that begins so"),
        hint: Some("`engine logs` lists the latest ones".to_owned()),
    })?;
    let programs = cx.for_programs();
    let attempts = signals::wait(async { Ok(store.runs.attempts(&record.id).await?) })?;
    let mut value = run(&record);
    if let Some(map) = value.as_object_mut() {
        let list = attempts.iter().map(|a| if programs { attempt(a) } else { attempt_row(a) });
        map.insert("attempts".to_owned(), list.collect());
    }
    cx.print(&value);
    Ok(())
}

/// A run, whole.
fn run(record: &RunRecord) -> Value {
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
    compact(json!({
        "id": id,
        "integration": integration,
        "action": action,
        "connection": connection,
        "sandbox": sandbox,
        "status": status.as_str(),
        "error": failure.as_ref().map(Failure::to_json),
        "started_at": started_at.to_string(),
        "finished_at": finished_at.map(|time| time.to_string()),
        "duration_ms": took(record),
        "waited_ms": waited_ms,
        "attempts": attempts,
    }))
}

/// A run as a line of a table.
fn row(record: &RunRecord) -> Value {
    json!({
        "started": record.started_at.to_string(),
        "run": record.id,
        "integration": record.integration,
        "action": record.action,
        "connection": record.connection,
        "status": record.status.as_str(),
        "ms": took(record),
        "requests": record.attempts,
        "error": record.failure.as_ref().map(|failure| failure.code.as_str()),
    })
}

/// An attempt, whole.
fn attempt(record: &AttemptRecord) -> Value {
    let AttemptRecord {
        step,
        item,
        page,
        attempt,
        started_at,
        duration_ms,
        waited_ms,
        method,
        url,
        status,
        outcome,
        message,
        detail,
    } = record;
    compact(json!({
        "step": step,
        "item": item,
        "page": page,
        "attempt": attempt,
        "started_at": started_at.to_string(),
        "duration_ms": duration_ms,
        "waited_ms": waited_ms,
        "method": method.as_str(),
        "url": url,
        "status": status,
        "outcome": outcome,
        "message": message,
        "detail": detail,
    }))
}

/// An attempt as a line of a table.
fn attempt_row(record: &AttemptRecord) -> Value {
    let nonzero = |number: u64| (number > 0).then_some(number);
    json!({
        "step": record.step,
        "item": record.item,
        "try": record.attempt,
        "request": format!("{} {}", record.method, record.url),
        "status": record.status,
        "outcome": record.outcome,
        "ms": record.duration_ms,
        "waited": nonzero(record.waited_ms),
        "message": record.message,
    })
}

/// Without the members that are null.
fn compact(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    Value::Object(map.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

/// How long a run took, in milliseconds.
fn took(record: &RunRecord) -> Option<i64> {
    record.finished_at.map(|end| end.0.saturating_sub(record.started_at.0).max(0))
}
