//! Secrets, and who may renew them.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection as Database, OptionalExtension};
use serde_json::{Map, Value, json};

use crate::{
    clock::Clock,
    model::{
        account::{AccountKey, Connection},
        time::Timestamp,
    },
    store::{
        error::Error,
        ports::{
            StoreFuture,
            secrets::{
                Basis, LeaseAnswer, LeaseAsk, LeaseHeld, NewTokens, Retraction, Secrets, Verdict,
            },
        },
        process,
        sqlite::{
            fault::Fault,
            file::Sqlite,
            seals,
            tokens::{self, Sealed},
        },
    },
    vault::Ring,
};

/// The row whose lease is still the holder's: `?1` to `?4` are key, fence and holder.
const HELD: &str = "account = (SELECT number FROM accounts WHERE integration = ?1 AND id = ?2)
    AND fence = ?3 AND holder = ?4";

/// The row of an account that is still the same one: `?1` to `?3` are key and incarnation.
const SAME: &str = "account = (SELECT number FROM accounts
    WHERE integration = ?1 AND id = ?2 AND incarnation = ?3)";

impl Secrets for Sqlite {
    fn open<'a>(&'a self, key: &'a AccountKey) -> StoreFuture<'a, Option<Connection>> {
        let (ring, key) = (Arc::clone(&self.ring), key.clone());
        self.look(move |db| tokens::open(db, &ring, &key))
    }

    // A write, so that a disk that takes nothing is met before the token is spent.
    fn lease(&self, ask: LeaseAsk) -> StoreFuture<'_, LeaseAnswer> {
        let (ring, clock) = (Arc::clone(&self.ring), Arc::clone(&self.clock));
        self.record(move |db| lease(db, &ring, &*clock, &ask))
    }

    fn renew<'a>(&'a self, held: &'a LeaseHeld, term: Duration) -> StoreFuture<'a, bool> {
        let (held, clock) = (held.clone(), Arc::clone(&self.clock));
        self.record(move |db| {
            let end = End::of(&*clock, term);
            let changed = db
                .prepare_cached(&format!(
                    "UPDATE secrets SET lease_until = ?5, lease_boot = ?6, lease_boot_until = ?7
                    WHERE {HELD}"
                ))?
                .execute((
                    &held.key.integration,
                    &held.key.id,
                    held.fence,
                    here(&held.holder),
                    end.wall,
                    end.boot,
                    end.boot_until,
                ))?;
            Ok(changed > 0)
        })
    }

    fn release<'a>(&'a self, held: &'a LeaseHeld) -> StoreFuture<'a, ()> {
        let held = held.clone();
        self.record(move |db| {
            let sql = format!("UPDATE secrets SET holder = NULL, lease_until = NULL WHERE {HELD}");
            let LeaseHeld { key, holder, fence } = &held;
            db.prepare_cached(&sql)?.execute((&key.integration, &key.id, fence, here(holder)))?;
            Ok(())
        })
    }

    fn keep(&self, tokens: NewTokens) -> StoreFuture<'_, bool> {
        let (ring, now) = (Arc::clone(&self.ring), self.clock.now().0);
        self.change(move |db| keep(db, &ring, &tokens, now))
    }

    fn verdict(&self, verdict: Verdict) -> StoreFuture<'_, bool> {
        let clock = Arc::clone(&self.clock);
        self.change(move |db| judge(db, &*clock, &verdict))
    }

    fn set_expiry(&self, basis: Basis, expires_at: Timestamp) -> StoreFuture<'_, bool> {
        let ring = Arc::clone(&self.ring);
        self.change(move |db| date(db, &ring, &basis, expires_at))
    }

    fn retract(&self, retraction: Retraction) -> StoreFuture<'_, bool> {
        let (ring, now) = (Arc::clone(&self.ring), self.clock.now().0);
        self.change(move |db| retract(db, &ring, &retraction, now))
    }
}

/// The end of a lease, on both clocks, in milliseconds.
pub struct End {
    /// On the wall clock.
    pub wall: i64,
    /// The boot.
    pub boot: String,
    /// On its clock.
    pub boot_until: i64,
}

impl End {
    /// A term from now.
    pub fn of(clock: &dyn Clock, term: Duration) -> Self {
        Self {
            wall: clock.now().plus(term).0,
            boot: process::boot().to_owned(),
            boot_until: ms(clock.boot() + term),
        }
    }
}

/// The holder, and the process that it lives in.
pub fn here(holder: &str) -> String {
    format!("{holder} {}", process::current())
}

/// In milliseconds.
pub fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// How it stands with the tokens of an account.
struct Standing {
    account: i64,
    generation: i64,
    fence: i64,
    /// The last one; it may be over.
    lease: process::Lease,
}

fn standing(db: &Database, key: &AccountKey, incarnation: &str) -> Result<Option<Standing>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT s.account, s.generation, s.fence, coalesce(s.holder, ''),
            coalesce(s.lease_until, 0), coalesce(s.lease_boot, ''), coalesce(s.lease_boot_until, 0)
        FROM secrets AS s JOIN accounts AS a ON a.number = s.account
        WHERE a.integration = ?1 AND a.id = ?2 AND a.incarnation = ?3",
    )?;
    let standing = statement.query_row((&key.integration, &key.id, incarnation), |row| {
        Ok(Standing {
            account: row.get(0)?,
            generation: row.get(1)?,
            fence: row.get(2)?,
            lease: process::Lease {
                holder: row.get(3)?,
                until: row.get(4)?,
                boot: row.get(5)?,
                boot_until: row.get(6)?,
            },
        })
    });
    Ok(standing.optional()?)
}

fn lease(
    db: &Database,
    ring: &Ring,
    clock: &dyn Clock,
    ask: &LeaseAsk,
) -> Result<LeaseAnswer, Fault> {
    let LeaseAsk { key, incarnation, generation, holder, term } = ask;
    // Who cannot seal the new tokens must not spend the old ones.
    seals::follow(db, ring)?;
    let row = standing(db, key, incarnation)?;
    let Some(Standing { account, generation: found, fence, lease }) = row else {
        return Ok(LeaseAnswer::Overtaken);
    };
    if found != *generation {
        return Ok(LeaseAnswer::Overtaken);
    }
    let (now, boot, term_ms) = (clock.now().0, ms(clock.boot()), ms(*term));
    let other = lease.holder != here(holder);
    if lease.holds(now, boot, term_ms) || other && lease.lingers(boot, term_ms) {
        return Ok(LeaseAnswer::Taken);
    }
    let end = End::of(clock, *term);
    db.prepare_cached(
        "UPDATE secrets SET fence = ?2, holder = ?3, lease_until = ?4, lease_boot = ?5,
            lease_boot_until = ?6
        WHERE account = ?1",
    )?
    .execute((account, fence + 1, here(holder), end.wall, end.boot, end.boot_until))?;
    match tokens::open(db, ring, key)? {
        Some(connection) => Ok(LeaseAnswer::Granted(Box::new(connection))),
        None => Ok(LeaseAnswer::Overtaken),
    }
}

fn keep(db: &Database, ring: &Ring, tokens: &NewTokens, now: i64) -> Result<bool, Fault> {
    let NewTokens { basis, credentials, scopes, saved } = tokens;
    let Basis { key, incarnation, generation, fence } = basis;
    match seals::follow(db, ring) {
        // These may be the only valid tokens: better sealed with a key that leaves than lost.
        Err(Fault::Plain(Error::Key(error))) => {
            tracing::warn!(%error, "new tokens are sealed with an older key");
        }
        followed => followed?,
    }
    let sealed = Sealed::new(ring, key, credentials)?;
    let kept = db
        .prepare_cached(&format!(
            "UPDATE secrets SET sealed = ?6, checksum = ?7, names = ?8, expires_at = ?9,
                generation = ?4 + 1, parent = ?4, token_fence = ?5,
                holder = CASE WHEN fence = ?5 THEN NULL ELSE holder END,
                lease_until = CASE WHEN fence = ?5 THEN NULL ELSE lease_until END,
                refresh_failure = NULL, refresh_retry_at = NULL
            WHERE {SAME} AND (generation = ?4 OR (parent = ?4 AND token_fence < ?5))"
        ))?
        .execute((
            &key.integration,
            &key.id,
            incarnation,
            generation,
            fence,
            sealed.bytes,
            sealed.checksum,
            sealed.names,
            sealed.expires_at,
        ))?;
    if kept == 0 {
        return Ok(false);
    }
    // Status and values change after the guarded write, in the same transaction.
    let scopes = scopes.as_ref().map(|scopes| json!(scopes).to_string());
    db.prepare_cached(
        "UPDATE accounts SET version = version + 1, status = 'active', status_reason = NULL,
            failures = 0, scopes = coalesce(?3, scopes), updated_at = ?4, last_refreshed_at = ?4,
            last_fetched_at = ?4
        WHERE integration = ?1 AND id = ?2",
    )?
    .execute((&key.integration, &key.id, scopes, now))?;
    if !saved.is_empty() {
        save(db, ring, key, saved)?;
    }
    Ok(true)
}

/// Values that came with the tokens, over those that are there now.
fn save(
    db: &Database,
    ring: &Ring,
    key: &AccountKey,
    saved: &Map<String, Value>,
) -> Result<(), Fault> {
    let Some(account) = tokens::account(db, ring, key)? else { return Ok(()) };
    let mut values = account.connection_config;
    if let Some(values) = values.as_object_mut() {
        values.extend(saved.clone());
    }
    db.prepare_cached("UPDATE accounts SET connection_config = ?2 WHERE number = ?1")?
        .execute((account.number, values.to_string()))?;
    Ok(())
}

/// The longest that a lease may last, for telling one that was written by a clock that was ahead.
const LONGEST_TERM: Duration = Duration::from_mins(10);

fn judge(db: &Database, clock: &dyn Clock, verdict: &Verdict) -> Result<bool, Fault> {
    let Verdict { basis, holder, reason, retry_at } = verdict;
    let Basis { key, incarnation, generation, fence } = basis;
    let Some(Standing { lease, .. }) = standing(db, key, incarnation)? else { return Ok(false) };
    let now = clock.now().0;
    let may = match holder {
        Some(holder) => lease.holder == here(holder),
        None => !lease.holds(now, ms(clock.boot()), ms(LONGEST_TERM)),
    };
    if !may {
        return Ok(false);
    }
    let counts = db
        .prepare_cached(&format!(
            "UPDATE secrets SET refresh_failure = ?6, refresh_retry_at = ?7, holder = NULL,
                lease_until = NULL
            WHERE {SAME} AND generation = ?4 AND fence = ?5"
        ))?
        .execute((
            &key.integration,
            &key.id,
            incarnation,
            generation,
            fence,
            reason,
            retry_at.map(|time| time.0),
        ))?;
    if counts == 0 {
        return Ok(false);
    }
    let sql = if retry_at.is_some() {
        "UPDATE accounts SET version = version + 1, failures = failures + 1, updated_at = ?4
        WHERE integration = ?1 AND id = ?2 AND ?3 IS NOT NULL"
    } else {
        "UPDATE accounts SET version = version + 1, failures = failures + 1, updated_at = ?4,
            status = 'needs_authorization', status_reason = ?3
        WHERE integration = ?1 AND id = ?2"
    };
    db.prepare_cached(sql)?.execute((&key.integration, &key.id, reason, now))?;
    Ok(true)
}

/// Seals the stored set again, with its end: the end is part of what is sealed.
fn date(db: &Database, ring: &Ring, basis: &Basis, expires_at: Timestamp) -> Result<bool, Fault> {
    let Some(mut stored) = tokens::open(db, ring, &basis.key)? else { return Ok(false) };
    let found = &stored.account.incarnation;
    if *found != basis.incarnation || stored.secrets.generation != basis.generation {
        return Ok(false);
    }
    stored.secrets.credentials.expires_at = Some(expires_at);
    seals::follow(db, ring)?;
    let sealed = Sealed::new(ring, &basis.key, &stored.secrets.credentials)?;
    let written = db
        .prepare_cached(
            "UPDATE secrets SET sealed = ?2, checksum = ?3, expires_at = ?4
            WHERE account = ?1 AND generation = ?5",
        )?
        .execute((
            stored.account.number,
            sealed.bytes,
            sealed.checksum,
            sealed.expires_at,
            basis.generation,
        ))?;
    Ok(written > 0)
}

fn retract(db: &Database, ring: &Ring, retraction: &Retraction, now: i64) -> Result<bool, Fault> {
    let Retraction { basis, credentials, reason } = retraction;
    let Basis { key, incarnation, generation, fence } = basis;
    seals::follow(db, ring)?;
    let sealed = Sealed::new(ring, key, credentials)?;
    let counts = db
        .prepare_cached(&format!(
            "UPDATE secrets SET sealed = ?6, checksum = ?7, names = ?8, expires_at = ?9,
                generation = generation + 1, parent = NULL, token_fence = NULL, fence = fence + 1,
                holder = NULL, lease_until = NULL, refresh_failure = NULL, refresh_retry_at = NULL
            WHERE {SAME} AND generation = ?4 AND fence = ?5"
        ))?
        .execute((
            &key.integration,
            &key.id,
            incarnation,
            generation,
            fence,
            sealed.bytes,
            sealed.checksum,
            sealed.names,
            sealed.expires_at,
        ))?;
    if counts == 0 {
        return Ok(false);
    }
    db.prepare_cached(
        "UPDATE accounts SET version = version + 1, status = 'revoked', status_reason = ?3,
            updated_at = ?4
        WHERE integration = ?1 AND id = ?2",
    )?
    .execute((&key.integration, &key.id, reason, now))?;
    Ok(true)
}
