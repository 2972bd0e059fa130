//! The statements about runs.

use rusqlite::{
    Connection as Database, OptionalExtension, Transaction, TransactionBehavior, named_params,
};

use crate::{
    model::{
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
    store::{fault::Fault, port::RunFilter, process, rows},
};

/// Writes a run as it stands, for the first or the last time.
pub fn put(db: &Database, run: &RunRecord) -> Result<(), Fault> {
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
        ":attempts": rows::signed(run.attempts),
        ":waited_ms": rows::signed(run.waited_ms),
    })?;
    Ok(())
}

/// Adds attempts after those that are there.
pub fn add(change: &Transaction<'_>, run: &str, attempts: &[AttemptRecord]) -> Result<(), Fault> {
    let (number, next): (i64, i64) = change
        .prepare_cached(
            "SELECT number, (SELECT coalesce(max(position) + 1, 0) FROM attempts WHERE run = number)
            FROM runs WHERE id = ?1",
        )?
        .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or(Fault::NoRun)?;
    let mut insert = change.prepare_cached(
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
            attempt.item.map(rows::signed),
            attempt.page,
            attempt.attempt,
            attempt.started_at.0,
            rows::signed(attempt.duration_ms),
            rows::signed(attempt.waited_ms),
            attempt.method,
            &attempt.url,
            attempt.status,
            attempt.outcome,
            &attempt.message,
            attempt.detail.as_ref().map(ToString::to_string),
        ))?;
    }
    Ok(())
}

/// One run, by its id or an unambiguous beginning of it.
pub fn get(db: &Database, id: &str) -> Result<Option<RunRecord>, Fault> {
    let sql = format!(
        "SELECT {} FROM runs WHERE id >= ?1 AND substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT 2",
        rows::RUN
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query_and_then([id], rows::run)?;
    let Some(first) = found.next().transpose()? else { return Ok(None) };
    // The shortest comes first: an id that is the beginning of another is meant itself.
    if first.id == id || found.next().transpose()?.is_none() {
        return Ok(Some(first));
    }
    Ok(None)
}

/// The attempts of a run, in order.
pub fn attempts(db: &Database, run: &str) -> Result<Vec<AttemptRecord>, Fault> {
    let sql = format!(
        "SELECT {} FROM attempts WHERE run = (SELECT number FROM runs WHERE id = ?1)
        ORDER BY position",
        rows::ATTEMPT
    );
    db.prepare_cached(&sql)?.query_and_then([run], rows::attempt)?.collect()
}

/// Runs that match, newest first. Whether a run was interrupted shows only on reading, so that the
/// state is compared there.
pub fn list(db: &Database, filter: &RunFilter) -> Result<Vec<RunRecord>, Fault> {
    let sql = format!(
        "SELECT {} FROM runs
        WHERE (?1 IS NULL OR integration = ?1) AND (?2 IS NULL OR action = ?2)
            AND (?3 IS NULL OR connection = ?3) AND (?4 IS NULL OR status IN (?4, ?5))
        ORDER BY started_at DESC, number DESC",
        rows::RUN
    );
    let stored = filter.status.map(RunStatus::as_str);
    let running = (filter.status == Some(RunStatus::Interrupted)).then_some("running");
    let mut statement = db.prepare_cached(&sql)?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let wanted = |run: &RunRecord| filter.status.is_none_or(|status| run.status == status);
    statement
        .query_and_then(
            (&filter.integration, &filter.action, &filter.connection, stored, running),
            rows::run,
        )?
        .filter(|run| run.as_ref().map_or(true, wanted))
        .take(limit)
        .collect()
}

/// Removes the oldest runs that began before and are under way no more.
pub fn prune(db: &mut Database, before: Timestamp, limit: u32) -> Result<u64, Fault> {
    // Asked on every start, and mostly for nothing: look first without the writers' lock.
    let any = "SELECT EXISTS (SELECT 1 FROM runs WHERE started_at < ?1)";
    if !db.query_row(any, [before.0], |row| row.get::<_, bool>(0))? {
        return Ok(0);
    }
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old: Vec<(i64, bool, String)> = change
        .prepare_cached(
            "SELECT number, status = 'running', process FROM runs WHERE started_at < ?1
            ORDER BY started_at LIMIT ?2",
        )?
        .query_map((before.0, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    let mut delete = change.prepare_cached("DELETE FROM runs WHERE number = ?1")?;
    for (number, running, owner) in old {
        if !running || process::is_gone(&owner) {
            removed += u64::from(delete.execute([number])? > 0);
        }
    }
    drop(delete);
    change.commit()?;
    Ok(removed)
}
