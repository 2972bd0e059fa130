//! Idempotency keys.

use rusqlite::{Connection as Database, OptionalExtension};

use crate::{
    model::{name::Name, time::Timestamp},
    store::{
        error::Error,
        ports::{
            StoreFuture,
            jobs::{JobAsk, JobClaim, JobHeld, JobKey, Jobs},
        },
        sqlite::{fault::Fault, file::Sqlite, seals},
    },
    vault::{Place, Ring},
};

impl Jobs for Sqlite {
    fn claim(&self, ask: JobAsk) -> StoreFuture<'_, JobClaim> {
        let (ring, now) = (std::sync::Arc::clone(&self.ring), self.clock.now());
        self.change(move |db| claim(db, &ring, ask, now))
    }

    fn settle(&self, job: JobHeld, result: Option<Vec<u8>>) -> StoreFuture<'_, bool> {
        let ring = std::sync::Arc::clone(&self.ring);
        self.change(move |db| {
            let JobHeld { key: JobKey { scope, key }, claim } = &job;
            let guard =
                "WHERE idem_scope = ?1 AND idem_key = ?2 AND claim = ?3 AND state = 'running'";
            let Some(result) = result else {
                // The row stays, and with it the number of the claim: an earlier holder that comes
                // late is not taken for the next one.
                let sql = format!("UPDATE jobs SET state = 'free', lease_until = 0 {guard}");
                return Ok(db.prepare_cached(&sql)?.execute((scope, key, claim))? > 0);
            };
            seals::follow(db, &ring)?;
            let sealed = ring.seal(place(&job.key), &result)?;
            let sql = format!("UPDATE jobs SET state = 'done', result = ?4 {guard}");
            Ok(db.prepare_cached(&sql)?.execute((scope, key, claim, sealed))? > 0)
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

fn claim(db: &Database, ring: &Ring, ask: JobAsk, now: Timestamp) -> Result<JobClaim, Fault> {
    let JobAsk { key, body_hash, holder, term } = ask;
    let found = db
        .prepare_cached(
            "SELECT body_hash, state, claim, lease_until, result FROM jobs
            WHERE idem_scope = ?1 AND idem_key = ?2",
        )?
        .query_row([&key.scope, &key.key], |row| {
            let (hash, state): (String, String) = (row.get(0)?, row.get(1)?);
            let (claim, until): (i64, i64) = (row.get(2)?, row.get(3)?);
            Ok((hash, state, claim, until, row.get::<_, Option<Vec<u8>>>(4)?))
        })
        .optional()?;
    let begun_before = found.as_ref().is_some_and(|(_, state, ..)| state == "running");
    let claim = match found {
        None => 1,
        Some((_, state, claim, ..)) if state == "free" => claim + 1,
        Some((hash, ..)) if hash != body_hash => return Ok(JobClaim::Conflict),
        Some((_, _, _, _, Some(sealed))) => {
            let opened = ring.open(place(&key), &sealed, |plain| Ok(plain.to_vec()));
            let JobKey { scope, key } = key;
            let tampered = |_| Error::Tampered {
                integration: Name::from_row(&scope),
                id: Name::from_row(&key),
            };
            return Ok(JobClaim::Done(opened.map_err(tampered)?));
        }
        Some((_, _, _, until, None)) if now.0 < until => return Ok(JobClaim::Running),
        Some((_, _, claim, _, None)) => claim + 1,
    };
    db.prepare_cached(
        "INSERT INTO jobs (idem_scope, idem_key, body_hash, state, claim, owner, lease_until,
            enqueued_at)
        VALUES (?1, ?2, ?3, 'running', ?4, ?5, ?6, ?7)
        ON CONFLICT (idem_scope, idem_key) DO UPDATE SET claim = excluded.claim,
            owner = excluded.owner, lease_until = excluded.lease_until, state = 'running',
            body_hash = excluded.body_hash",
    )?
    .execute((&key.scope, &key.key, body_hash, claim, holder, now.plus(term).0, now.0))?;
    Ok(JobClaim::Granted { job: JobHeld { key, claim }, begun_before })
}
