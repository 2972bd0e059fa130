//! Leases: who may do something alone, until when.

use std::time::Duration;

use rusqlite::{Connection as Database, OptionalExtension};

use crate::{model::time::Timestamp, store::fault::Fault};

/// Takes or prolongs a lease, in one statement: no other process can come between.
pub fn take(
    db: &Database,
    (key, owner): (&str, &str),
    now: Timestamp,
    term: Duration,
) -> Result<Option<i64>, Fault> {
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
        .execute([key, owner])?;
    Ok(())
}
