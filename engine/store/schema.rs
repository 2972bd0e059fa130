//! The tables and their versions. A file is made or raised within one transaction, and never before
//! the key is proven.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::store::{
    fault::Fault,
    key::{self, KeySource},
    port::Error,
    seal::Key,
};

/// Marks a file as ours (`PRAGMA application_id`): "engi".
const APPLICATION: i64 = 0x656e_6769;

/// Step N raises a file from version N to N + 1.
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// The version that this engine writes.
const KNOWN: i64 = 2;

/// Makes the file ready: new, current, or raised. Returns the keys that it is sealed with.
pub fn prepare(db: &mut Connection, source: &KeySource, path: &Path) -> Result<Vec<Key>, Fault> {
    if version(db, path)? == 0
        && let Some(keys) = create(db, path, || key::find_or_make(source, path))?
    {
        return Ok(keys);
    }
    let keys = key::find(source, path)?;
    let proof: Option<Vec<u8>> = db
        .query_row("SELECT value FROM meta WHERE name = 'key-check'", [], |row| row.get(0))
        .optional()?;
    match proof {
        Some(proof) if keys.iter().any(|key| key.proves(&proof)) => {}
        Some(_) => return Err(Error::WrongKey { path: path.display().to_string() }.into()),
        None => return Err(corrupt(path, "it does not say which key it is sealed with").into()),
    }
    raise(db, path)?;
    Ok(keys)
}

/// Makes a new file. `None`: another process was faster.
pub fn create(
    db: &mut Connection,
    path: &Path,
    keys: impl FnOnce() -> Result<Vec<Key>, Error>,
) -> Result<Option<Vec<Key>>, Fault> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&change, path)? != 0 {
        return Ok(None);
    }
    // Under the lock: whoever makes the key makes the tables.
    let keys = keys()?;
    let first = keys.first().ok_or_else(|| Error::Key { reason: "there is none".to_owned() })?;
    let proof = first.proof().map_err(|error| key::unsealable(&error))?;
    for step in MIGRATIONS {
        change.execute_batch(step)?;
    }
    change.execute("INSERT INTO meta (name, value) VALUES ('key-check', ?1)", [proof])?;
    change.pragma_update(None, "application_id", APPLICATION)?;
    change.pragma_update(None, "user_version", KNOWN)?;
    change.commit()?;
    Ok(Some(keys))
}

/// Applies the steps that an older file lacks.
fn raise(db: &mut Connection, path: &Path) -> Result<(), Fault> {
    if version(db, path)? == KNOWN {
        return Ok(());
    }
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it meanwhile.
    let done = usize::try_from(version(&change, path)?).unwrap_or(MIGRATIONS.len());
    for step in MIGRATIONS.iter().skip(done) {
        change.execute_batch(step)?;
    }
    change.pragma_update(None, "user_version", KNOWN)?;
    change.commit()?;
    Ok(())
}

/// The version of the file: 0 for one without tables. Refuses foreign and newer ones.
fn version(db: &Connection, path: &Path) -> Result<i64, Fault> {
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
        let path = Path::new("x.db");
        let mut db = Connection::open_in_memory().unwrap();
        let failed = create(&mut db, path, || Err(Error::Key { reason: "none".to_owned() }));
        assert!(failed.is_err());
        assert_eq!(version(&db, path).unwrap(), 0);
        assert!(create(&mut db, path, || Ok(vec![key::fleeting()?])).unwrap().is_some());
        assert_eq!(version(&db, path).unwrap(), KNOWN);
        assert!(
            create(&mut db, path, || Ok(vec![key::fleeting()?])).unwrap().is_none(),
            "made already"
        );
    }
}
