//! Idempotency keys.

use std::time::Duration;

use rusqlite::{Connection as Database, OptionalExtension};

use crate::{
    model::{name::Name, time::Timestamp},
    store::{
        error::Error,
        ports::{
            StoreFuture,
            jobs::{JobAsk, JobClaim, JobEnd, JobHeld, JobKey, Jobs},
        },
        sqlite::{fault::Fault, file::Sqlite, seals},
    },
    vault::{Place, Ring},
};

/// Whoever holds it works on it until `lease_until`, and is dead after that.
const RUNNING: &str = "running";
/// It has a result.
const DONE: &str = "done";
/// The same input may be worked on again.
const AGAIN: &str = "again";
/// Any input may.
const FREE: &str = "free";

/// The claim of a holder, which nobody has taken over.
const HELD: &str = "WHERE idem_scope = ?1 AND idem_key = ?2 AND claim = ?3 AND owner = ?4
    AND state = 'running'";

impl Jobs for Sqlite {
    fn claim(&self, ask: JobAsk) -> StoreFuture<'_, JobClaim> {
        let (ring, now) = (std::sync::Arc::clone(&self.ring), self.clock.now());
        self.change(move |db| claim(db, &ring, ask, now))
    }

    fn beat(&self, job: JobHeld, term: Duration) -> StoreFuture<'_, bool> {
        let now = self.clock.now();
        self.change(move |db| {
            let sql = format!("UPDATE jobs SET lease_until = ?5 {HELD} AND lease_until > ?6");
            let JobHeld { key: JobKey { scope, key }, claim, holder } = job;
            let values = (scope, key, claim, holder, now.plus(term).0, now.0);
            Ok(db.prepare_cached(&sql)?.execute(values)? > 0)
        })
    }

    fn settle(&self, job: JobHeld, end: JobEnd) -> StoreFuture<'_, bool> {
        let ring = std::sync::Arc::clone(&self.ring);
        self.change(move |db| {
            // The row stays, and with it the number of the claim: an earlier holder that comes late
            // is not taken for the next one.
            let (state, result) = match end {
                JobEnd::Free => (FREE, None),
                JobEnd::Again => (AGAIN, None),
                JobEnd::Done(result) => {
                    seals::follow(db, &ring)?;
                    (DONE, Some(ring.seal(place(&job.key), &result)?))
                }
            };
            let sql = format!("UPDATE jobs SET state = ?5, result = ?6, lease_until = 0 {HELD}");
            let JobHeld { key: JobKey { scope, key }, claim, holder } = job;
            let values = (scope, key, claim, holder, state, result);
            Ok(db.prepare_cached(&sql)?.execute(values)? > 0)
        })
    }

    fn expire(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        let now = self.clock.now();
        self.prune("SELECT 1 FROM jobs WHERE enqueued_at < ?1", before, move |db| {
            let sql = "DELETE FROM jobs WHERE number IN (SELECT number FROM jobs
                WHERE enqueued_at < ?1 AND (state <> 'running' OR lease_until <= ?2)
                ORDER BY enqueued_at LIMIT 1000)";
            Ok(db.execute(sql, (before.0, now.0))?)
        })
    }
}

/// Where a result is sealed.
fn place(key: &JobKey) -> Place<'_> {
    Place { integration: &key.scope, id: &key.key, field: "result" }
}

/// A row, as far as a claim looks at it.
struct Row {
    body_hash: String,
    state: String,
    claim: i64,
    holder: String,
    until: i64,
    result: Option<Vec<u8>>,
    first_used: i64,
}

fn find(db: &Database, key: &JobKey) -> Result<Option<Row>, Fault> {
    let found = db
        .prepare_cached(
            "SELECT body_hash, state, claim, owner, lease_until, result, enqueued_at FROM jobs
            WHERE idem_scope = ?1 AND idem_key = ?2",
        )?
        .query_row([&key.scope, &key.key], |row| {
            Ok(Row {
                body_hash: row.get(0)?,
                state: row.get(1)?,
                claim: row.get(2)?,
                holder: row.get(3)?,
                until: row.get(4)?,
                result: row.get(5)?,
                first_used: row.get(6)?,
            })
        })
        .optional()?;
    Ok(found)
}

fn claim(db: &Database, ring: &Ring, ask: JobAsk, now: Timestamp) -> Result<JobClaim, Fault> {
    let JobAsk { key, body_hash, holder, term, keep, repeatable } = ask;
    let (claim, first_used) = match find(db, &key)? {
        None => (1, now),
        Some(row) => {
            let running = row.state == RUNNING && now.0 < row.until;
            if row.state == FREE || (Timestamp(row.first_used).plus(keep) <= now && !running) {
                (row.claim + 1, now)
            } else if row.body_hash != body_hash {
                return Ok(JobClaim::Conflict);
            } else if let Some(sealed) = row.result {
                let opened = ring.open(place(&key), &sealed, |plain| Ok(plain.to_vec()));
                let JobKey { scope, key } = key;
                let tampered = |_| Error::Tampered {
                    integration: Name::from_row(&scope),
                    id: Name::from_row(&key),
                };
                return Ok(JobClaim::Done(opened.map_err(tampered)?));
            } else if running {
                return Ok(JobClaim::Running(row.holder));
            } else if row.state == RUNNING && !repeatable {
                return Ok(JobClaim::Interrupted(row.holder));
            } else {
                (row.claim + 1, Timestamp(row.first_used))
            }
        }
    };
    let until = now.plus(term).0;
    db.prepare_cached(
        "INSERT INTO jobs (idem_scope, idem_key, body_hash, state, claim, owner, lease_until,
            enqueued_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (idem_scope, idem_key) DO UPDATE SET claim = excluded.claim,
            owner = excluded.owner, lease_until = excluded.lease_until, state = excluded.state,
            body_hash = excluded.body_hash, enqueued_at = excluded.enqueued_at, result = NULL",
    )?
    .execute((
        &key.scope,
        &key.key,
        body_hash,
        RUNNING,
        claim,
        &holder,
        until,
        first_used.0,
    ))?;
    Ok(JobClaim::Granted(JobHeld { key, claim, holder }))
}
