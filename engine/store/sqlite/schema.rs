//! The tables and their versions. A file is made or raised within one transaction, and never before
//! the key is proven.

use std::path::Path;

use rusqlite::{Connection as Database, OptionalExtension, TransactionBehavior};
use serde_json::json;

use crate::{
    model::account::AccountKey,
    store::{
        error::Error,
        sqlite::{fault::Fault, seals},
    },
    vault::{self, KeyFile, Ring, key},
};

/// Marks a file as ours (`PRAGMA application_id`): "engi".
const APPLICATION: i64 = 0x656e_6769;

type Then = fn(&Database, &Ring) -> Result<(), Fault>;

/// What raises a file by one version.
struct Step {
    sql: &'static str,
    /// What SQL cannot do, because it needs the keys.
    then: Option<Then>,
}

/// Step N raises a file from version N to N + 1.
const MIGRATIONS: &[Step] = &[
    Step { sql: include_str!("migrations/0001.sql"), then: None },
    Step { sql: include_str!("migrations/0002.sql"), then: None },
    Step { sql: include_str!("migrations/0003.sql"), then: Some(part_secrets) },
];

/// The version that this engine writes.
const KNOWN: i64 = 3;

/// What tells one store from another.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Its file.
    pub path: &'a Path,
    /// The environment that it is to hold.
    pub environment: &'a str,
}

/// Makes the file ready: new, current, or raised. Returns the keys that it is sealed with.
pub fn prepare(db: &mut Database, origin: KeyFile, store: Identity<'_>) -> Result<Ring, Fault> {
    if version(db, store.path)? == 0 {
        let keys = || {
            let keys = key::find_or_make(&origin)?;
            Ok(Ring::new(keys, Some(origin.clone())))
        };
        if let Some(ring) = create(db, store, keys)? {
            return Ok(ring);
        }
    }
    let ring = Ring::new(key::find(&origin)?, Some(origin));
    let proof: Option<Vec<u8>> = db
        .query_row("SELECT value FROM meta WHERE name = 'key-check'", [], |row| row.get(0))
        .optional()?;
    let unsealed = || corrupt(store.path, "it does not say which key it is sealed with");
    ring.follow(&proof.ok_or_else(unsealed)?)?;
    raise(db, &ring, store)?;
    belongs(db, store)?;
    Ok(ring)
}

/// Makes a new file. `None`: another process was faster.
pub fn create(
    db: &mut Database,
    store: Identity<'_>,
    keys: impl FnOnce() -> Result<Ring, vault::Error>,
) -> Result<Option<Ring>, Fault> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&change, store.path)? != 0 {
        return Ok(None);
    }
    // Under the lock: whoever makes the key makes the tables.
    let ring = keys()?;
    let proof = ring.proof(ring.current())?;
    for step in MIGRATIONS {
        apply(&change, &ring, step)?;
    }
    change.execute("INSERT INTO meta (name, value) VALUES ('key-check', ?1)", [proof])?;
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.pragma_update(None, "user_version", KNOWN)?;
    name(&change, store.environment)?;
    change.commit()?;
    Ok(Some(ring))
}

/// Applies the steps that an older file lacks.
fn raise(db: &mut Database, ring: &Ring, store: Identity<'_>) -> Result<(), Fault> {
    if version(db, store.path)? == KNOWN {
        return Ok(());
    }
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile.
    let done = usize::try_from(version(&change, store.path)?).unwrap_or(MIGRATIONS.len());
    for step in MIGRATIONS.iter().skip(done) {
        apply(&change, ring, step)?;
    }
    change.pragma_update(None, "user_version", KNOWN)?;
    name(&change, store.environment)?;
    change.commit()?;
    Ok(())
}

fn apply(db: &Database, ring: &Ring, step: &Step) -> Result<(), Fault> {
    db.execute_batch(step.sql)?;
    step.then.map_or(Ok(()), |then| then(db, ring))
}

/// A store without a name gets this one.
fn name(db: &Database, environment: &str) -> Result<(), Fault> {
    let sql = "INSERT INTO meta (name, value) VALUES ('environment', ?1) ON CONFLICT DO NOTHING";
    db.execute(sql, [environment.as_bytes()])?;
    Ok(())
}

/// One store is one environment.
fn belongs(db: &Database, store: Identity<'_>) -> Result<(), Fault> {
    let sql = "SELECT CAST(value AS TEXT) FROM meta WHERE name = 'environment'";
    let found: String = db.query_row(sql, [], |row| row.get(0))?;
    if found == store.environment {
        return Ok(());
    }
    let path = store.path.display().to_string();
    Err(Error::OtherEnvironment { path, found, wanted: store.environment.to_owned() }.into())
}

/// Version 2 kept accounts and secrets in one row, and in the sealed part what is now in the clear:
/// which credentials are set, and when the token ends. What does not open stays as it is, and its
/// account shows as damaged.
fn part_secrets(db: &Database, ring: &Ring) -> Result<(), Fault> {
    let mut rows = db.prepare(
        "SELECT a.number, a.integration, a.id, c.credentials, c.refresh_failure, c.refresh_retry_at
        FROM connections AS c JOIN accounts AS a ON a.integration = c.integration AND a.id = c.id",
    )?;
    let mut insert = db.prepare(
        "INSERT INTO secrets (account, sealed, checksum, names, expires_at, generation, fence,
            refresh_failure, refresh_retry_at)
        VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, ?6, ?7)",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let key = AccountKey { integration: row.get(1)?, id: row.get(2)? };
        let sealed: Vec<u8> = row.get(3)?;
        let opened = seals::open(ring, &key, &sealed).ok();
        let names: Vec<&String> = opened.iter().flat_map(|open| open.fields.keys()).collect();
        // A wrong sum, where it does not open.
        let sum = seals::checksum(&key, &sealed) ^ i64::from(opened.is_none());
        let end = opened.as_ref().and_then(|open| open.expires_at).map(|time| time.0);
        let (failure, retry_at): (Option<String>, Option<i64>) = (row.get(4)?, row.get(5)?);
        let number: i64 = row.get(0)?;
        insert.execute((number, sealed, sum, json!(names).to_string(), end, failure, retry_at))?;
    }
    drop(rows);
    db.execute_batch("DROP TABLE connections")?;
    Ok(())
}

/// The version of the file: 0 for one without tables. Refuses foreign and newer ones.
fn version(db: &Database, path: &Path) -> Result<i64, Fault> {
    // One snapshot: between two reads another process may have made the file.
    let _snapshot = if db.is_autocommit() { Some(db.unchecked_transaction()?) } else { None };
    let read = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (read("application_id")?, read("user_version")?);
    match application {
        APPLICATION if version > KNOWN => {
            let path = path.display().to_string();
            Err(Error::Newer { path, found: version, known: KNOWN }.into())
        }
        APPLICATION if version > 0 => Ok(version),
        0 if version == 0 => {
            let tables: i64 =
                db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables == 0 { Ok(0) } else { Err(corrupt(path, FOREIGN).into()) }
        }
        _ => Err(corrupt(path, FOREIGN).into()),
    }
}

const FOREIGN: &str = "it is a database of another program";

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt { path: path.display().to_string(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_step() {
        assert_eq!(i64::try_from(MIGRATIONS.len()), Ok(KNOWN));
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let store = Identity { path: Path::new("x.db"), environment: "default" };
        let mut db = Database::open_in_memory().unwrap();
        let none = || Err(vault::Error::Key { reason: "none".to_owned() });
        assert!(create(&mut db, store, none).is_err());
        assert_eq!(version(&db, store.path).unwrap(), 0);
        let fleeting = || Ok(Ring::new(vec![key::fleeting()?], None));
        assert!(create(&mut db, store, fleeting).unwrap().is_some());
        assert_eq!(version(&db, store.path).unwrap(), KNOWN);
        assert!(create(&mut db, store, fleeting).unwrap().is_none(), "made already");
        assert!(belongs(&db, store).is_ok());
        assert!(belongs(&db, Identity { environment: "production", ..store }).is_err());
    }
}
