//! Leases: who may do something alone, until when.

use std::time::Duration;

use rusqlite::{Connection as Database, OptionalExtension};

use crate::{
    model::time::Timestamp,
    store::{fault::Fault, process},
};

/// Takes or prolongs a lease, in one statement: no other process can come between.
pub fn take(
    db: &Database,
    (key, owner): (&str, &str),
    now: Timestamp,
    term: Duration,
) -> Result<Option<i64>, Fault> {
    free_of_the_dead(db, key)?;
    let owner = here(owner);
    let mut statement = db.prepare_cached(
        "INSERT INTO leases (key, owner, fence, until) VALUES (?1, ?2, 1, ?4)
        ON CONFLICT (key) DO UPDATE SET
            fence = fence + (owner <> excluded.owner),
            owner = excluded.owner,
            until = excluded.until
        WHERE owner = excluded.owner OR until <= ?3
        RETURNING fence",
    )?;
    let until = now.plus(term).0;
    Ok(statement.query_row((key, owner, now.0, until), |row| row.get(0)).optional()?)
}

/// Gives it back. The row stays, and with it the fencing number.
pub fn release(db: &Database, key: &str, owner: &str) -> Result<(), Fault> {
    db.prepare_cached("UPDATE leases SET owner = '', until = 0 WHERE key = ?1 AND owner = ?2")?
        .execute([key, &here(owner)])?;
    Ok(())
}

/// The owner, and the process that it lives in.
fn here(owner: &str) -> String {
    format!("{owner} {}", process::current())
}

/// A lease whose process is gone is over: nobody has to wait for its end.
fn free_of_the_dead(db: &Database, key: &str) -> Result<(), Fault> {
    let held: Option<String> = db
        .prepare_cached("SELECT owner FROM leases WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    if let Some(held) = held
        && held.split_once(' ').is_some_and(|(_, process)| process::is_gone(process))
    {
        db.prepare_cached("UPDATE leases SET until = 0 WHERE key = ?1 AND owner = ?2")?
            .execute([key, &held])?;
    }
    Ok(())
}
