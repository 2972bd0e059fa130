//! The states of rate limits.

use std::sync::Arc;

use rusqlite::{Connection as Database, OptionalExtension};

use crate::{
    clock::Clock,
    model::time::Timestamp,
    store::{
        ports::{
            StoreFuture,
            limits::{LimitRow, Limits},
        },
        sqlite::{fault::Fault, file::Sqlite},
    },
};

impl Limits for Sqlite {
    fn read<'a>(&'a self, bucket: &'a str) -> StoreFuture<'a, LimitRow> {
        let (bucket, clock) = (bucket.to_owned(), Arc::clone(&self.clock));
        self.look(move |db| read(db, &bucket, &*clock))
    }

    fn swap<'a>(&'a self, bucket: &'a str, version: i64, state: String) -> StoreFuture<'a, bool> {
        let (bucket, now) = (bucket.to_owned(), self.clock.now());
        let next = LimitRow { now, version, state: Some(state) };
        self.record(move |db| swap(db, &bucket, &next))
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        self.record(move |db| {
            let gone = db.execute("DELETE FROM limits WHERE updated_at < ?1", [before.0])?;
            Ok(gone as u64)
        })
    }
}

/// A bucket. The time is that of its reading: a row that was written meanwhile is not of later.
fn read(db: &Database, bucket: &str, clock: &dyn Clock) -> Result<LimitRow, Fault> {
    let row = db
        .prepare_cached("SELECT version, state FROM limits WHERE bucket = ?1")?
        .query_row([bucket], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (version, state) = row.map_or((0, None), |(version, state)| (version, Some(state)));
    Ok(LimitRow { now: clock.now(), version, state })
}

/// Compare and set, in one statement: no other process can come between. `next` has the version
/// that is replaced.
fn swap(db: &Database, bucket: &str, next: &LimitRow) -> Result<bool, Fault> {
    let LimitRow { now, version, state } = next;
    let sql = if *version == 0 {
        "INSERT INTO limits (bucket, version, state, updated_at) VALUES (?1, ?2 + 1, ?3, ?4)
        ON CONFLICT (bucket) DO NOTHING"
    } else {
        "UPDATE limits SET state = ?3, version = version + 1, updated_at = ?4
        WHERE bucket = ?1 AND version = ?2"
    };
    Ok(db.prepare_cached(sql)?.execute((bucket, version, state, now.0))? > 0)
}
