//! Records of runs.

use rusqlite::{Connection as Database, OptionalExtension, Row, named_params, params_from_iter};
use serde_json::value::RawValue;

use crate::{
    model::{
        failure::{Code, Failure},
        http,
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
    store::{
        ports::{
            StoreFuture,
            runs::{RunFilter, Runs},
        },
        process,
        sqlite::{
            fault::Fault,
            file::Sqlite,
            rows::{signed, unsigned},
        },
    },
};

const RUN: &str = "id, process, integration, action, connection, sandbox, status, failure,
    started_at, finished_at, attempts, waited_ms";

const ATTEMPT: &str = "step, item, page, attempt, started_at, duration_ms, waited_ms, method, url,
    status, outcome, message, detail";

/// No run takes longer: one that still shows as running was left by a process that nobody can see.
const LONGEST_RUN_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// What an attempt can have come to; anything else was written by another version.
const OUTCOMES: [&str; 12] = [
    "ok",
    "redirect",
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

impl Runs for Sqlite {
    fn begin(&self, run: RunRecord) -> StoreFuture<'_, ()> {
        self.record(move |db| put(db, &run))
    }

    fn note(&self, run: RunRecord, attempts: Vec<AttemptRecord>) {
        Self::note(self, move |db| write(db, &run, &attempts));
    }

    fn finish(&self, run: RunRecord, attempts: Vec<AttemptRecord>) -> StoreFuture<'_, ()> {
        self.record(move |db| write(db, &run, &attempts))
    }

    fn get<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<RunRecord>> {
        let id = id.to_owned();
        self.read(move |db| get(db, &id))
    }

    fn attempts<'a>(&'a self, run: &'a str) -> StoreFuture<'a, Vec<AttemptRecord>> {
        let run = run.to_owned();
        self.read(move |db| attempts(db, &run))
    }

    fn page(&self, filter: RunFilter) -> StoreFuture<'_, Vec<RunRecord>> {
        self.read(move |db| list(db, &filter))
    }

    fn prune(&self, before: Timestamp, limit: u32) -> StoreFuture<'_, u64> {
        let any = "SELECT 1 FROM runs WHERE started_at < ?1";
        Self::prune(self, any, before, move |db| prune(db, before, limit))
    }
}

fn write(db: &Database, run: &RunRecord, attempts: &[AttemptRecord]) -> Result<(), Fault> {
    put(db, run)?;
    add(db, &run.id, attempts)
}

/// Writes a run as it stands, for the first or the last time.
fn put(db: &Database, run: &RunRecord) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO runs (id, process, integration, action, connection, sandbox, status, failure,
            started_at, finished_at, attempts, waited_ms)
        VALUES (:id, :process, :integration, :action, :connection, :sandbox, :status, :failure,
            :started_at, :finished_at, :attempts, :waited_ms)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, failure = excluded.failure,
            finished_at = excluded.finished_at, attempts = excluded.attempts,
            waited_ms = excluded.waited_ms",
    )?
    .execute(named_params! {
        ":id": run.id,
        ":process": process::current(),
        ":integration": run.integration,
        ":action": run.action,
        ":connection": run.connection,
        ":sandbox": run.sandbox,
        ":status": run.status.as_str(),
        ":failure": run.failure.as_ref().map(|failure| failure.to_json().to_string()),
        ":started_at": run.started_at.0,
        ":finished_at": run.finished_at.map(|time| time.0),
        ":attempts": signed(run.attempts),
        ":waited_ms": signed(run.waited_ms),
    })?;
    Ok(())
}

/// Adds attempts after those that are there.
fn add(db: &Database, run: &str, attempts: &[AttemptRecord]) -> Result<(), Fault> {
    let (number, next): (i64, i64) = db
        .prepare_cached(
            "SELECT number, (SELECT coalesce(max(position) + 1, 0) FROM attempts WHERE run = number)
            FROM runs WHERE id = ?1",
        )?
        .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or(Fault::NoRun)?;
    let mut insert = db.prepare_cached(
        "INSERT INTO attempts (run, position, step, item, page, attempt, started_at, duration_ms,
            waited_ms, method, url, status, outcome, message, detail)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    for (position, attempt) in (next..).zip(attempts) {
        // By position: looking up names costs more than the row.
        insert.execute((
            number,
            position,
            &attempt.step,
            attempt.item.map(signed),
            attempt.page,
            attempt.attempt,
            attempt.started_at.0,
            signed(attempt.duration_ms),
            signed(attempt.waited_ms),
            attempt.method.as_str(),
            &attempt.url,
            attempt.status,
            attempt.outcome,
            &attempt.message,
            attempt.detail.as_ref().map(|detail| detail.get()),
        ))?;
    }
    Ok(())
}

/// One run, by its id or an unambiguous beginning of it.
fn get(db: &Database, id: &str) -> Result<Option<RunRecord>, Fault> {
    let sql = format!(
        "SELECT {RUN} FROM runs
        WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT 2"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query_and_then([id], run)?;
    let Some(first) = found.next().transpose()? else { return Ok(None) };
    // The shortest comes first: an id that is the beginning of another is meant itself.
    if first.id == id || found.next().transpose()?.is_none() {
        return Ok(Some(first));
    }
    Ok(None)
}

/// The attempts of a run, in order.
fn attempts(db: &Database, run: &str) -> Result<Vec<AttemptRecord>, Fault> {
    let sql = format!(
        "SELECT {ATTEMPT} FROM attempts WHERE run = (SELECT number FROM runs WHERE id = ?1)
        ORDER BY position"
    );
    db.prepare_cached(&sql)?.query_and_then([run], attempt)?.collect()
}

/// Runs that match, newest first. Whether a run was interrupted shows only on reading, so that the
/// state is compared there.
fn list(db: &Database, filter: &RunFilter) -> Result<Vec<RunRecord>, Fault> {
    // What is not asked for stands in no condition: an index serves what is.
    let stored = filter.status.map(|status| status.as_str().to_owned());
    let mut conditions = vec!["1"];
    let mut values = Vec::new();
    for (condition, wanted) in [
        ("integration = ?", &filter.integration),
        ("action = ?", &filter.action),
        ("connection = ?", &filter.connection),
    ] {
        if let Some(wanted) = wanted {
            conditions.push(condition);
            values.push(wanted);
        }
    }
    if let Some(stored) = &stored {
        // One that was interrupted is stored as running.
        conditions.push(match filter.status {
            Some(RunStatus::Interrupted) => "status IN (?, 'running')",
            _ => "status = ?",
        });
        values.push(stored);
    }
    let conditions = conditions.join(" AND ");
    let sql =
        format!("SELECT {RUN} FROM runs WHERE {conditions} ORDER BY started_at DESC, number DESC");
    let mut statement = db.prepare_cached(&sql)?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let wanted = |run: &RunRecord| filter.status.is_none_or(|status| run.status == status);
    statement
        .query_and_then(params_from_iter(values), run)?
        .filter(|run| run.as_ref().map_or(true, wanted))
        .take(limit)
        .collect()
}

/// Removes the oldest runs that began before and are under way no more. What still runs stands
/// apart, so that it does not keep the others.
fn prune(db: &Database, before: Timestamp, limit: u32) -> Result<usize, Fault> {
    let mut removed = db
        .prepare_cached(
            "DELETE FROM runs WHERE number IN (SELECT number FROM runs
                WHERE started_at < ?1 AND status <> 'running' ORDER BY started_at LIMIT ?2)",
        )?
        .execute((before.0, limit))?;
    let running: Vec<(i64, i64, String)> = db
        .prepare_cached(
            "SELECT number, started_at, process FROM runs
            WHERE status = 'running' AND started_at < ?1 ORDER BY started_at LIMIT ?2",
        )?
        .query_map((before.0, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut delete = db.prepare_cached("DELETE FROM runs WHERE number = ?1")?;
    let oldest = before.0.saturating_sub(LONGEST_RUN_MS);
    for (number, started_at, owner) in running {
        if started_at < oldest || process::is_over(&owner) {
            removed += delete.execute([number])?;
        }
    }
    Ok(removed)
}

/// A run. One whose process died shows as interrupted.
fn run(row: &Row<'_>) -> Result<RunRecord, Fault> {
    let status: String = row.get("status")?;
    // An end of another version's is one that we know nothing good of.
    let mut status = RunStatus::parse(&status).unwrap_or(RunStatus::Failed);
    if status == RunStatus::Running && process::is_over(&row.get::<_, String>("process")?) {
        status = RunStatus::Interrupted;
    }
    Ok(RunRecord {
        id: row.get("id")?,
        integration: row.get("integration")?,
        action: row.get("action")?,
        connection: row.get("connection")?,
        sandbox: row.get("sandbox")?,
        status,
        failure: row.get::<_, Option<String>>("failure")?.map(|text| failure(&text)),
        started_at: Timestamp(row.get("started_at")?),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
        attempts: unsigned(row.get("attempts")?),
        waited_ms: unsigned(row.get("waited_ms")?),
    })
}

/// One attempt of a run.
fn attempt(row: &Row<'_>) -> Result<AttemptRecord, Fault> {
    let method: String = row.get("method")?;
    let outcome: String = row.get("outcome")?;
    let detail: Option<String> = row.get("detail")?;
    let detail = detail.map(RawValue::from_string).transpose();
    Ok(AttemptRecord {
        step: row.get("step")?,
        item: row.get::<_, Option<i64>>("item")?.map(unsigned),
        page: row.get("page")?,
        attempt: row.get("attempt")?,
        started_at: Timestamp(row.get("started_at")?),
        duration_ms: unsigned(row.get("duration_ms")?),
        waited_ms: unsigned(row.get("waited_ms")?),
        method: http::method(&method).ok_or(Fault::Column("attempts.method"))?,
        url: row.get("url")?,
        status: row.get("status")?,
        outcome: OUTCOMES.into_iter().find(|known| *known == outcome).unwrap_or("unknown"),
        message: row.get("message")?,
        detail: detail.unwrap_or_default(),
    })
}

/// What is no failure at all is shown as it is.
fn failure(text: &str) -> Failure {
    let read = serde_json::from_str(text).ok().and_then(Failure::from_json);
    read.unwrap_or_else(|| Failure::new(Code::Internal, text))
}
