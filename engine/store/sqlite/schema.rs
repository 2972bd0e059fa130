//! The tables and their versions. A file is made or raised within one transaction, and never before
//! the key is proven.

use std::{path::Path, time::Duration};

use rusqlite::{Connection as Database, Transaction, TransactionBehavior};
use serde_json::json;

use crate::{
    model::time::Timestamp,
    store::{
        error::Error,
        process,
        sqlite::{fault::Fault, opening::Opening, rows, seals},
    },
    vault::{self, Ring, key},
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
    Step { sql: include_str!("migrations/0004.sql"), then: Some(sum_up) },
    Step { sql: include_str!("migrations/0005.sql"), then: None },
    Step { sql: include_str!("migrations/0006.sql"), then: None },
];

/// The version that this engine writes.
const KNOWN: i64 = 6;

/// How often it is asked whether an older engine still renews tokens, and the time between: half a
/// minute, as long as a token request may take.
const LOOKS: u32 = 150;
const LOOK: Duration = Duration::from_millis(200);
/// The term of the leases of version 2.
const OLDER_TERM: Duration = Duration::from_mins(2);

/// The keys of a file that is ready. `None`: it is new, or has to be raised.
pub fn open(db: &Database, opening: &Opening) -> Result<Option<Ring>, Fault> {
    let read = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    // A file that is made meanwhile has the second before anybody sees the first.
    if read("user_version")? != KNOWN || read("application_id")? != APPLICATION {
        return Ok(None);
    }
    let (ring, environment) = unlock(db, opening)?;
    if environment.as_deref() == Some(opening.environment.as_str()) {
        return Ok(Some(ring));
    }
    let (path, found) = (opening.path.display().to_string(), environment.unwrap_or_default());
    Err(Error::OtherEnvironment { path, found, wanted: opening.environment.to_string() }.into())
}

/// Makes the file ready: new, current, or raised. Returns the keys that it is sealed with.
pub fn prepare(db: &mut Database, opening: &Opening) -> Result<Ring, Fault> {
    if version(db, &opening.path)? == 0 {
        let keys = || {
            let origin = opening.origin();
            let keys = key::find_or_make(&origin)?;
            Ok(Ring::new(keys, Some(origin)))
        };
        if let Some(ring) = create(db, opening, keys)? {
            return Ok(ring);
        }
    }
    if version(db, &opening.path)? < KNOWN {
        let (ring, _) = unlock(db, opening)?;
        raise(db, &ring, opening)?;
    }
    let changed = || corrupt(&opening.path, "its version changes while it is opened");
    open(db, opening)?.ok_or_else(|| changed().into())
}

/// The keys of a file, and its environment; older ones have none.
fn unlock(db: &Database, opening: &Opening) -> Result<(Ring, Option<String>), Fault> {
    let origin = opening.origin();
    let ring = Ring::new(key::find(&origin)?, Some(origin));
    let (mut proof, mut environment) = (None, None);
    let mut facts =
        db.prepare("SELECT name, value FROM meta WHERE name IN ('environment', 'key-check')")?;
    let mut facts = facts.query([])?;
    while let Some(fact) = facts.next()? {
        let value: Vec<u8> = fact.get(1)?;
        if fact.get_ref(0)?.as_str() == Ok("key-check") {
            proof = Some(value);
        } else {
            environment = Some(String::from_utf8_lossy(&value).into_owned());
        }
    }
    let unsealed = || corrupt(&opening.path, "it does not say which key it is sealed with");
    ring.follow(&proof.ok_or_else(unsealed)?)?;
    Ok((ring, environment))
}

/// Makes a new file. `None`: another process was faster.
fn create(
    db: &mut Database,
    opening: &Opening,
    keys: impl FnOnce() -> Result<Ring, vault::Error>,
) -> Result<Option<Ring>, Fault> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&change, &opening.path)? != 0 {
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
    name(&change, &opening.environment)?;
    change.commit()?;
    Ok(Some(ring))
}

/// Applies the steps that an older file lacks.
fn raise(db: &Database, ring: &Ring, opening: &Opening) -> Result<(), Fault> {
    let change = without_renewals(db, opening, LOOKS)?;
    // Another process may have done it meanwhile.
    let done = usize::try_from(version(&change, &opening.path)?).unwrap_or(MIGRATIONS.len());
    for step in MIGRATIONS.iter().skip(done) {
        apply(&change, ring, step)?;
    }
    change.pragma_update(None, "user_version", KNOWN)?;
    name(&change, &opening.environment)?;
    change.commit()?;
    Ok(())
}

/// A transaction at whose beginning no process of an older engine renews a token. Its lease goes
/// with the old tables, and so would the token that the API has just given it: it could not be
/// stored any more. While the transaction lasts nobody takes a new lease, and afterwards no older
/// engine can.
fn without_renewals<'d>(
    db: &'d Database,
    opening: &Opening,
    looks: u32,
) -> Result<Transaction<'d>, Fault> {
    for look in 0..looks {
        let change = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        if !renews(&change, opening.clock.now())? {
            return Ok(change);
        }
        drop(change);
        if look == 0 {
            tracing::warn!("an older engine renews tokens; the store is raised when it is done");
        }
        std::thread::park_timeout(LOOK);
    }
    let path = opening.path.display().to_string();
    let reason = "an older engine renews tokens in it, which would be lost".to_owned();
    let hint = "end the processes of the older engine, or try again in two minutes".to_owned();
    Err(Error::Unusable { path, reason, hint }.into())
}

/// Whether a lease of version 1 or 2 holds. One that ends later than two terms from now was written
/// before the clock was set back; one whose process is gone is over.
fn renews(db: &Database, now: Timestamp) -> Result<bool, Fault> {
    if db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? > 2 {
        return Ok(false);
    }
    let latest = now.plus(2 * OLDER_TERM).0;
    let mut leases = db.prepare("SELECT owner FROM leases WHERE until > ?1 AND until <= ?2")?;
    let mut leases = leases.query([now.0, latest])?;
    while let Some(lease) = leases.next()? {
        let owner: String = lease.get(0)?;
        if !owner.split_once(' ').is_some_and(|(_, process)| process::is_gone(process)) {
            return Ok(true);
        }
    }
    Ok(false)
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

/// Version 2 kept accounts and secrets in one row, and in the sealed part what is now in the clear:
/// which credentials are set, and when the token ends. What does not open stays as it is. The sums
/// follow in the next step.
fn part_secrets(db: &Database, ring: &Ring) -> Result<(), Fault> {
    let mut rows = db.prepare(
        "SELECT a.number, a.integration, a.id, c.credentials, c.refresh_failure, c.refresh_retry_at
        FROM connections AS c JOIN accounts AS a ON a.integration = c.integration AND a.id = c.id",
    )?;
    let mut insert = db.prepare(
        "INSERT INTO secrets (account, sealed, checksum, names, expires_at, generation, fence,
            refresh_failure, refresh_retry_at)
        VALUES (?1, ?2, 0, ?3, ?4, 1, 0, ?5, ?6)",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        // One whose name cannot be read opens nowhere.
        let sealed: Vec<u8> = row.get(3)?;
        let opened = rows::key(row).and_then(|key| seals::open(ring, &key, &sealed).ok());
        let names: Vec<&String> = opened.iter().flat_map(|open| open.fields.keys()).collect();
        let end = opened.as_ref().and_then(|open| open.expires_at).map(|time| time.0);
        let (failure, retry_at): (Option<String>, Option<i64>) = (row.get(4)?, row.get(5)?);
        let number: i64 = row.get(0)?;
        insert.execute((number, sealed, json!(names).to_string(), end, failure, retry_at))?;
    }
    drop(rows);
    db.execute_batch("DROP TABLE connections")?;
    Ok(())
}

/// Version 3 had another checksum. What does not open gets a wrong one, so that its account shows as
/// damaged; unless only its key is lost, which may be found again.
fn sum_up(db: &Database, ring: &Ring) -> Result<(), Fault> {
    let mut rows = db.prepare(
        "SELECT a.number, a.integration, a.id, s.sealed
        FROM accounts AS a JOIN secrets AS s ON s.account = a.number",
    )?;
    let mut update = db.prepare("UPDATE secrets SET checksum = ?2 WHERE account = ?1")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let Some(key) = rows::key(row) else { continue };
        let sealed: Vec<u8> = row.get(3)?;
        let damaged = seals::has_key(ring, &sealed) && seals::open(ring, &key, &sealed).is_err();
        let sum = seals::checksum(&key.integration, &key.id, &sealed) ^ i64::from(damaged);
        update.execute((row.get::<_, i64>(0)?, sum))?;
    }
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
    use std::{path::PathBuf, sync::Arc};

    use super::*;
    use crate::{clock::SystemClock, model::name::EnvironmentName, vault::KeySource};

    fn opening() -> Opening {
        Opening {
            path: PathBuf::from("x.db"),
            key: KeySource::Beside,
            environment: EnvironmentName::usual(),
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// A database as version 2 made it.
    fn older() -> Database {
        let db = Database::open_in_memory().unwrap();
        for step in MIGRATIONS.iter().take(2) {
            db.execute_batch(step.sql).unwrap();
        }
        db.pragma_update(None, "user_version", 2).unwrap();
        db
    }

    fn lease(db: &Database, owner: &str, until: Timestamp) {
        db.execute("DELETE FROM leases", []).unwrap();
        db.execute("INSERT INTO leases VALUES ('k', ?1, 1, ?2)", (owner, until.0)).unwrap();
    }

    #[test]
    fn every_version_has_its_step() {
        assert_eq!(i64::try_from(MIGRATIONS.len()), Ok(KNOWN));
    }

    #[test]
    fn an_older_engine_that_renews_is_noticed() {
        let db = older();
        let now = Timestamp(1_700_000_000_000);
        let gone = process::current().rsplit_once(' ').unwrap().0;
        for (owner, seconds, expected) in [
            (format!("a {}", process::current()), 60, true),
            ("a other pid:[1] 1 1".to_owned(), 60, true),
            (format!("a {}", process::current()), 0, false),
            (format!("a {gone} 1"), 60, false),
            (format!("a {}", process::current()), 3600, false),
        ] {
            lease(&db, &owner, now.plus(Duration::from_secs(seconds)));
            assert_eq!(renews(&db, now).unwrap(), expected, "{owner} {seconds}");
        }
        db.pragma_update(None, "user_version", KNOWN).unwrap();
        assert!(!renews(&db, now).unwrap());
    }

    #[test]
    fn a_store_is_not_raised_while_an_older_engine_renews() {
        let (db, opening) = (older(), opening());
        lease(&db, &format!("a {}", process::current()), opening.clock.now().plus(OLDER_TERM));
        let refused = without_renewals(&db, &opening, 2).err().unwrap().at(&opening.path);
        assert!(refused.to_string().contains("an older engine renews tokens"), "{refused}");
        assert!(db.is_autocommit(), "nobody is kept from writing");
        lease(&db, &format!("a {}", process::current()), opening.clock.now());
        assert!(without_renewals(&db, &opening, 2).is_ok());
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let opening = opening();
        let mut db = Database::open_in_memory().unwrap();
        let none = || Err(vault::Error::Key { reason: "none".to_owned() });
        assert!(create(&mut db, &opening, none).is_err());
        assert_eq!(version(&db, &opening.path).unwrap(), 0);
        let fleeting = || Ok(Ring::new(vec![key::fleeting()?], None));
        assert!(create(&mut db, &opening, fleeting).unwrap().is_some());
        assert_eq!(version(&db, &opening.path).unwrap(), KNOWN);
        assert!(create(&mut db, &opening, fleeting).unwrap().is_none(), "made already");
    }
}
