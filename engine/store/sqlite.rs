//! `Sqlite`: the memory in one file.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{
    Connection as Database, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig,
};

use crate::{
    model::{
        connection::Connection,
        record::{AttemptRecord, RunRecord},
        time::Timestamp,
    },
    store::{
        connections,
        fault::{self, Fault},
        key::{self, KeySource},
        leases,
        port::{Error, Revocation, Rotation, RunFilter, Store},
        revocations,
        ring::Ring,
        runs, schema,
    },
};

/// How long one process waits for another's transaction; ours take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Statements kept ready for each connection.
const STATEMENTS: usize = 32;

/// The longest write-ahead log that a process leaves behind, in bytes. The next one reads it once
/// when it opens the store, which must cost less than what was saved.
const LEFT_BEHIND: u64 = 512 * 1024;

/// The store in one file.
pub struct Sqlite {
    path: PathBuf,
    ring: Ring,
    /// What must survive a power cut: full sync.
    durable: Mutex<Database>,
    /// What need not: its commits never wait for the disk. A memory store has one for both.
    quick: Option<Mutex<Database>>,
}

impl Sqlite {
    /// Opens the file, and makes it, its folder and its key if they are not there. A wrong key is
    /// refused before anything is written.
    pub fn open(path: &Path, key: &KeySource) -> Result<Self, Error> {
        Self::open_within(path, key, PATIENCE)
    }

    fn open_within(path: &Path, source: &KeySource, patience: Duration) -> Result<Self, Error> {
        make_private(path)?;
        let open = || -> Result<_, Fault> {
            let mut durable = connect(path, patience)?;
            let keys = schema::prepare(&mut durable, source, path)?;
            let ring = Ring::new(keys, source.clone(), path);
            ring.follow(&durable)?;
            write_ahead(&durable)?;
            durable.pragma_update(None, "synchronous", "FULL")?;
            let quick = connect(path, patience)?;
            quick.pragma_update(None, "synchronous", "NORMAL")?;
            Ok((ring, durable, quick))
        };
        let (ring, durable, quick) = open().map_err(|fault| fault.at(path))?;
        Ok(Self {
            path: path.to_owned(),
            ring,
            durable: Mutex::new(durable),
            quick: Some(Mutex::new(quick)),
        })
    }

    /// A store that ends with the process, sealed with a key that nobody keeps. For tests.
    pub fn in_memory() -> Result<Self, Error> {
        let path = PathBuf::from(":memory:");
        let key = key::fleeting()?;
        let open = || -> Result<_, Fault> {
            let mut durable = Database::open_in_memory()?;
            configure(&durable, PATIENCE)?;
            let keys =
                schema::create(&mut durable, &path, || Ok(vec![key]))?.ok_or(Fault::NoRun)?;
            let ring = Ring::new(keys, KeySource::Beside, &path);
            Ok((ring, durable))
        };
        let (ring, durable) = open().map_err(|fault| fault.at(&path))?;
        Ok(Self { path, ring, durable: Mutex::new(durable), quick: None })
    }

    fn durable<T>(&self, work: impl FnOnce(&mut Database) -> Result<T, Fault>) -> Result<T, Error> {
        work(&mut lock(&self.durable)).map_err(|fault| fault.at(&self.path))
    }

    /// One transaction, so that the key that seals is still the current one when it is written.
    fn change<T>(&self, work: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, Error> {
        self.durable(|db| {
            let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&change)?;
            change.commit()?;
            Ok(done)
        })
    }

    fn quick<T>(&self, work: impl FnOnce(&mut Database) -> Result<T, Fault>) -> Result<T, Error> {
        let database = self.quick.as_ref().unwrap_or(&self.durable);
        work(&mut lock(database)).map_err(|fault| fault.at(&self.path))
    }
}

/// SQLite moves the write-ahead log into the database when the last connection closes: syncs and
/// removals at the end of every `engine run`, and more at the start of the next one. A process
/// that has only written run records leaves a short log where it is. One that has changed a
/// connection does not: somebody may copy only the database file.
impl Drop for Sqlite {
    fn drop(&mut self) {
        let Some(quick) = &self.quick else { return };
        let durable = lock(&self.durable);
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let short = fs::metadata(log).is_ok_and(|log| (1..=LEFT_BEHIND).contains(&log.len()));
        if !short || durable.total_changes() > 0 {
            return;
        }
        for db in [&durable, &lock(quick)] {
            // Where it fails, the log is moved as ever.
            drop(db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
        }
    }
}

impl Store for Sqlite {
    fn connection(&self, integration: &str, id: &str) -> Result<Option<Connection>, Error> {
        self.durable(|db| connections::get(db, &self.ring, (integration, id)))
    }

    fn connections(&self, integration: Option<&str>) -> Result<Vec<Connection>, Error> {
        self.durable(|db| connections::list(db, &self.ring, integration))
    }

    fn insert(&self, connection: &Connection) -> Result<(), Error> {
        self.change(|change| connections::insert(change, &self.ring, connection))
    }

    fn update(&self, connection: &Connection) -> Result<i64, Error> {
        self.change(|change| connections::update(change, &self.ring, connection))
    }

    fn delete(&self, integration: &str, id: &str) -> Result<bool, Error> {
        self.durable(|db| connections::delete(db, integration, id))
    }

    fn retire(&self, connection: &Connection, now: Timestamp) -> Result<bool, Error> {
        self.durable(|db| {
            self.ring.follow(db)?;
            let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let (integration, id) = (connection.integration.as_str(), connection.id.as_str());
            let gone = connections::delete(&change, integration, id)?;
            if gone {
                revocations::add(&change, &self.ring, connection, now)?;
            }
            change.commit()?;
            Ok(gone)
        })
    }

    fn revocations(&self) -> Result<Vec<Revocation>, Error> {
        self.durable(|db| revocations::list(db, &self.ring))
    }

    fn settle(&self, revocation: &Revocation, reason: Option<&str>) -> Result<(), Error> {
        self.durable(|db| revocations::settle(db, revocation, reason))
    }

    fn rotate(&self) -> Result<Rotation, Error> {
        self.durable(|db| self.ring.rotate(db))
    }

    fn forget_keys(&self) -> Result<Rotation, Error> {
        self.durable(|db| self.ring.forget(db))
    }

    fn keys(&self) -> Result<Rotation, Error> {
        self.durable(|db| self.ring.state(db))
    }

    fn touch(&self, integration: &str, id: &str, now: Timestamp) -> Result<(), Error> {
        self.quick(|db| connections::touch(db, (integration, id), now))
    }

    fn token_key(&self) -> Result<[u8; 32], Error> {
        Ok(self.ring.token_key())
    }

    // After a power cut every holder is gone, and so may be its lease.
    fn lease(
        &self,
        key: &str,
        owner: &str,
        now: Timestamp,
        term: Duration,
    ) -> Result<Option<i64>, Error> {
        self.quick(|db| leases::take(db, (key, owner), now, term))
    }

    fn release(&self, key: &str, owner: &str) -> Result<(), Error> {
        self.quick(|db| leases::release(db, key, owner))
    }

    fn begin(&self, run: &RunRecord) -> Result<(), Error> {
        self.quick(|db| runs::put(db, run))
    }

    fn attempts(&self, run: &str, attempts: &[AttemptRecord]) -> Result<(), Error> {
        self.quick(|db| {
            let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            runs::add(&change, run, attempts)?;
            Ok(change.commit()?)
        })
    }

    fn finish(&self, run: &RunRecord, attempts: &[AttemptRecord]) -> Result<(), Error> {
        self.quick(|db| {
            let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            runs::put(&change, run)?;
            runs::add(&change, &run.id, attempts)?;
            Ok(change.commit()?)
        })
    }

    fn run(&self, id: &str) -> Result<Option<RunRecord>, Error> {
        self.quick(|db| runs::get(db, id))
    }

    fn attempts_of(&self, run: &str) -> Result<Vec<AttemptRecord>, Error> {
        self.quick(|db| runs::attempts(db, run))
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Error> {
        self.quick(|db| runs::list(db, filter))
    }

    fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.quick(|db| runs::prune(db, before, limit))
    }
}

/// A statement that panicked has rolled back: the database is as sound as before.
fn lock(database: &Mutex<Database>) -> MutexGuard<'_, Database> {
    database.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder 0700 and the file 0600 from the first moment; SQLite gives its journals the mode of
/// the file. What exists keeps its mode.
fn make_private(path: &Path) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| fault::io(folder, &error))?;
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| fault::io(path, &error))
}

fn connect(path: &Path, patience: Duration) -> Result<Database, Fault> {
    // No mutex of its own, we have one; and no URIs: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Database::open_with_flags(path, flags)?;
    configure(&db, patience)?;
    Ok(db)
}

fn configure(db: &Database, patience: Duration) -> Result<(), Fault> {
    db.busy_timeout(patience)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// The mode is a property of the file, so that this changes something only once. Where another
/// process is in the way, the old mode serves as well, and a later start changes it.
fn write_ahead(db: &Database) -> Result<(), Fault> {
    match db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
            ) =>
        {
            Ok(())
        }
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        os::unix::fs::PermissionsExt,
        sync::{Arc, Barrier},
    };

    use serde_json::json;

    use super::*;
    use crate::model::{
        connection::{ConnectionStatus, Credentials},
        failure::{Code, Failure},
        record::RunStatus,
        secret::Secret,
    };

    const MARKER: &str = "plain-text-marker-7c1f";

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn open(folder: &tempfile::TempDir) -> Sqlite {
        Sqlite::open(&folder.path().join("engine.db"), &KeySource::Beside).unwrap()
    }

    fn code(result: Result<Sqlite, Error>) -> &'static str {
        crate::diagnostic::Explain::code(&result.err().expect("an error"))
    }

    fn connection(integration: &str, id: &str) -> Connection {
        let fields = [("access_token".to_owned(), Secret::new(MARKER.to_owned()))];
        Connection {
            integration: integration.to_owned(),
            id: id.to_owned(),
            status: ConnectionStatus::NeedsAuthorization,
            status_reason: Some("revoked".to_owned()),
            values: json!({"b": 1, "a": 12_345_678_901_234_567_890_u64}),
            metadata: json!(null),
            account_id: Some("U1".to_owned()),
            account_name: None,
            sandbox: true,
            scopes: None,
            credentials: Credentials {
                fields: fields.into(),
                expires_at: Some(Timestamp(9)),
                raw: Some(Secret::new(format!("{{\"t\": \"{MARKER}\"}}"))),
            },
            version: 1,
            created_at: Timestamp(1),
            updated_at: Timestamp(2),
            last_used_at: None,
            last_refreshed_at: Some(Timestamp(4)),
            refresh_failure: Some("odd".to_owned()),
            refresh_retry_at: Some(Timestamp(7)),
        }
    }

    fn run(id: &str, started_at: i64) -> RunRecord {
        RunRecord {
            id: id.to_owned(),
            integration: "slack".to_owned(),
            action: "list-channels".to_owned(),
            connection: "default".to_owned(),
            sandbox: false,
            status: RunStatus::Running,
            failure: None,
            started_at: Timestamp(started_at),
            finished_at: None,
            attempts: 0,
            waited_ms: 0,
        }
    }

    fn attempt(page: u32) -> AttemptRecord {
        AttemptRecord {
            step: "list".to_owned(),
            item: Some(7),
            page,
            attempt: 1,
            started_at: Timestamp(5),
            duration_ms: 20,
            waited_ms: 3,
            method: "GET",
            url: "https://slack.com/api/x".to_owned(),
            status: Some(200),
            outcome: "rate_limited",
            message: Some("slow down".to_owned()),
            detail: Some(json!({"request": {"headers": {"z": "1", "a": "2"}}})),
        }
    }

    fn ids(runs: &[RunRecord]) -> Vec<&str> {
        runs.iter().map(|run| run.id.as_str()).collect()
    }

    #[test]
    fn connections_come_back_as_they_went() {
        for store in [Sqlite::in_memory().unwrap(), open(&folder())] {
            let given = connection("slack", "alice");
            store.insert(&given).unwrap();
            let found = store.connection("slack", "alice").unwrap().unwrap();
            assert_eq!(format!("{found:?}"), format!("{given:?}"));
            assert_eq!(found.credentials, given.credentials);
            assert!(store.connection("slack", "bob").unwrap().is_none());
            store.insert(&connection("github", "alice")).unwrap();
            store.insert(&connection("slack", "Bob")).unwrap();
            let names = |integration| -> Vec<String> {
                let all = store.connections(integration).unwrap();
                all.iter().map(|found| format!("{}/{}", found.integration, found.id)).collect()
            };
            assert_eq!(names(None), ["github/alice", "slack/Bob", "slack/alice"]);
            assert_eq!(names(Some("slack")), ["slack/Bob", "slack/alice"]);
            assert!(names(Some("none")).is_empty());
            let exists = store.insert(&given).unwrap_err();
            assert!(matches!(exists, Error::Exists { .. }));
            assert!(store.delete("slack", "alice").unwrap());
            assert!(!store.delete("slack", "alice").unwrap());
        }
    }

    #[test]
    fn a_change_needs_the_version_that_it_was_made_from() {
        let store = Sqlite::in_memory().unwrap();
        let mut first = connection("slack", "alice");
        let changed = |result| matches!(result, Err(Error::Changed { .. }));
        assert!(changed(store.update(&first)), "gone");
        store.insert(&first).unwrap();
        store.touch("slack", "alice", Timestamp(50)).unwrap();
        store.touch("slack", "alice", Timestamp(40)).unwrap();
        let second = first.clone();
        first.account_name = Some("Alice".to_owned());
        assert_eq!(store.update(&first).unwrap(), 2);
        assert!(changed(store.update(&second)), "overtaken");
        let found = store.connection("slack", "alice").unwrap().unwrap();
        assert_eq!((found.version, found.account_name.as_deref()), (2, Some("Alice")));
        assert_eq!(found.last_used_at, Some(Timestamp(50)), "a use is not forgotten");
        // Deleted and made again meanwhile: the version fits, the connection is another.
        store.delete("slack", "alice").unwrap();
        let again = Connection { created_at: Timestamp(99), ..second.clone() };
        store.insert(&again).unwrap();
        assert!(changed(store.update(&second)));
    }

    #[test]
    fn a_lease_has_one_holder() {
        let folder = folder();
        let (one, two) = (open(&folder), open(&folder));
        let take = |store: &Sqlite, owner, now| {
            store.lease("refresh/a", owner, Timestamp(now), Duration::from_millis(10)).unwrap()
        };
        assert_eq!(take(&one, "one", 0), Some(1));
        assert_eq!(take(&two, "two", 5), None);
        assert_eq!(take(&one, "one", 5), Some(1), "prolonged");
        assert_eq!(take(&two, "two", 14), None);
        assert_eq!(take(&two, "two", 15), Some(2), "expired");
        one.release("refresh/a", "one").unwrap();
        assert_eq!(take(&one, "one", 16), None, "not its to give back");
        two.release("refresh/a", "two").unwrap();
        assert_eq!(take(&one, "one", 17), Some(3));
        assert_eq!(take(&one, "two", 17), None);
        let other = one.lease("refresh/b", "two", Timestamp(0), Duration::ZERO).unwrap();
        assert_eq!(other, Some(1));
    }

    #[test]
    fn runs_come_back_as_they_went() {
        let store = Sqlite::in_memory().unwrap();
        let mut record = run("run-1", 10);
        store.begin(&record).unwrap();
        let running = store.run("run-1").unwrap().unwrap();
        assert_eq!(running.status, RunStatus::Running);
        store.attempts("run-1", &[attempt(1), attempt(2)]).unwrap();
        let mut failure = Failure::new(Code::RateLimited, "slow").with_hint("wait");
        failure.detail = Some(json!({"z": 1, "a": [1.50]}));
        failure.status = Some(429);
        failure.step = Some("list".to_owned());
        failure.retry_at = Some(Timestamp(1_700_000_000_123));
        failure.maybe_executed = true;
        record.status = RunStatus::Failed;
        record.failure = Some(failure);
        record.finished_at = Some(Timestamp(12));
        record.attempts = 3;
        record.waited_ms = u64::MAX / 4;
        store.finish(&record, &[attempt(3)]).unwrap();
        let found = store.run("run").unwrap().unwrap();
        assert_eq!(format!("{found:?}"), format!("{record:?}"));
        let attempts = store.attempts_of("run-1").unwrap();
        let given = [attempt(1), attempt(2), attempt(3)];
        assert_eq!(format!("{attempts:?}"), format!("{given:?}"));
        assert!(store.attempts("none", &[attempt(1)]).is_err());
        assert!(store.attempts_of("none").unwrap().is_empty());
    }

    #[test]
    fn runs_are_found_by_their_beginning_and_by_filters() {
        let store = Sqlite::in_memory().unwrap();
        for (id, started) in [("ab1", 1), ("ab2", 2), ("abc", 3), ("abcd", 4), ("a_c", 5)] {
            store.begin(&run(id, started)).unwrap();
        }
        let find = |id| store.run(id).unwrap().map(|run| run.id);
        assert_eq!(find("ab1").as_deref(), Some("ab1"));
        assert_eq!(find("abc").as_deref(), Some("abc"), "itself, although another begins so");
        assert_eq!(find("abcd").as_deref(), Some("abcd"));
        assert_eq!(find("a_").as_deref(), Some("a_c"));
        for none in ["ab", "x", "AB1", "%", "ab_"] {
            assert_eq!(find(none), None, "{none}");
        }
        let done = RunRecord { status: RunStatus::Succeeded, ..run("abc", 3) };
        store.finish(&done, &[]).unwrap();
        let list = |filter: RunFilter| store.runs(&filter).unwrap();
        let all = RunFilter { limit: 3, ..RunFilter::default() };
        assert_eq!(ids(&list(all.clone())), ["a_c", "abcd", "abc"]);
        let one = RunFilter { status: Some(RunStatus::Succeeded), ..all.clone() };
        assert_eq!(ids(&list(one)), ["abc"]);
        let none = RunFilter { integration: Some("github".to_owned()), ..all.clone() };
        assert!(list(none).is_empty());
        let same = RunFilter { action: Some("list-channels".to_owned()), ..all };
        assert_eq!(list(same).len(), 3);
    }

    #[test]
    fn a_run_whose_process_died_shows_as_interrupted() {
        let store = Sqlite::in_memory().unwrap();
        store.begin(&run("gone", 1)).unwrap();
        store.begin(&run("here", 2)).unwrap();
        store.attempts("gone", &[attempt(1)]).unwrap();
        let other = "UPDATE runs SET process = 'boot pid:[1] 1 1' WHERE id = 'gone'";
        store.quick(|db| Ok(db.execute(other, [])?)).unwrap();
        assert_eq!(store.run("gone").unwrap().unwrap().status, RunStatus::Interrupted);
        let of = |status| {
            let filter = RunFilter { status: Some(status), limit: 9, ..RunFilter::default() };
            store.runs(&filter).unwrap()
        };
        assert_eq!(ids(&of(RunStatus::Interrupted)), ["gone"]);
        assert_eq!(ids(&of(RunStatus::Running)), ["here"]);
        assert_eq!(store.prune(Timestamp(100), 9).unwrap(), 1, "what still runs stays");
        assert!(store.run("gone").unwrap().is_none());
        assert!(store.attempts_of("gone").unwrap().is_empty());
    }

    #[test]
    fn pruning_takes_the_oldest_first_and_only_so_many() {
        let store = Sqlite::in_memory().unwrap();
        for (id, started) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
            let done = RunRecord { status: RunStatus::Cancelled, ..run(id, started) };
            store.finish(&done, &[attempt(1)]).unwrap();
        }
        assert_eq!(store.prune(Timestamp(1), 9).unwrap(), 0);
        assert_eq!(store.prune(Timestamp(4), 2).unwrap(), 2);
        let left = store.runs(&RunFilter { limit: 9, ..RunFilter::default() }).unwrap();
        assert_eq!(ids(&left), ["d", "c"]);
        let attempts = |db: &mut Database| -> Result<i64, Fault> {
            Ok(db.query_row("SELECT count(*) FROM attempts", [], |row| row.get(0))?)
        };
        assert_eq!(store.quick(attempts).unwrap(), 2);
    }

    #[test]
    fn only_records_and_only_a_few_are_left_in_the_log() {
        let folder = folder();
        let log = folder.path().join("engine.db-wal");
        let store = open(&folder);
        store.insert(&connection("slack", "alice")).unwrap();
        drop(store);
        assert!(!log.exists());

        let store = open(&folder);
        store.begin(&run("few", 1)).unwrap();
        drop(store);
        assert!(log.exists());
        let store = open(&folder);
        assert!(store.run("few").unwrap().is_some());
        store.attempts("few", &(0..9_999).map(attempt).collect::<Vec<_>>()).unwrap();
        drop(store);
        assert!(!log.exists());
        assert_eq!(open(&folder).attempts_of("few").unwrap().len(), 9_999);
    }

    #[test]
    fn nothing_secret_reaches_a_file_and_nobody_else_may_read_them() {
        let folder = folder();
        let path = folder.path().join("deep/er/engine.db");
        let store = Sqlite::open(&path, &KeySource::Beside).unwrap();
        store.insert(&connection("slack", "alice")).unwrap();
        store.update(&connection("slack", "alice")).unwrap();
        store.begin(&run("r", 1)).unwrap();
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
            let entry = entry.unwrap();
            let bytes = fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(MARKER.len()).any(|window| window == MARKER.as_bytes()));
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.file_name());
            names.insert(entry.file_name().into_string().unwrap());
        }
        assert_eq!(Vec::from_iter(names), ["engine.db", "engine.db-shm", "engine.db-wal", "key"]);
        for folder in ["deep", "deep/er"] {
            let mode = fs::metadata(folder_path(&path, folder)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{folder}");
        }
    }

    fn folder_path(store: &Path, name: &str) -> PathBuf {
        let root = store.ancestors().nth(3).unwrap();
        root.join(name)
    }

    #[test]
    fn only_the_right_key_opens_a_store() {
        let folder = folder();
        let path = folder.path().join("engine.db");
        let store = open(&folder);
        store.insert(&connection("slack", "alice")).unwrap();
        let token_key = store.token_key().unwrap();
        drop(store);
        let before = fs::read(&path).unwrap();
        let text = fs::read_to_string(folder.path().join("key")).unwrap();
        let other = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let wrong = KeySource::Text(Secret::new(other.to_owned()));
        assert_eq!(code(Sqlite::open(&path, &wrong)), "store.wrong-key");
        assert_eq!(fs::read(&path).unwrap(), before, "nothing was written");
        let none = KeySource::Text(Secret::new("hello".to_owned()));
        assert_eq!(code(Sqlite::open(&path, &none)), "store.key");
        let right = KeySource::Text(Secret::new(text));
        assert_eq!(Sqlite::open(&path, &right).unwrap().token_key().unwrap(), token_key);
        let moved = folder.path().join("elsewhere");
        fs::rename(folder.path().join("key"), &moved).unwrap();
        assert_eq!(code(Sqlite::open(&path, &KeySource::Beside)), "store.key");
        assert!(!folder.path().join("key").exists(), "no second key for sealed rows");
        let file = KeySource::File(moved.clone());
        assert!(
            Sqlite::open(&path, &file).unwrap().connection("slack", "alice").unwrap().is_some()
        );
        fs::write(&moved, "x".repeat(5000)).unwrap();
        assert_eq!(code(Sqlite::open(&path, &file)), "store.key");
        let missing = KeySource::File(folder.path().join("none"));
        assert_eq!(code(Sqlite::open(&folder.path().join("new.db"), &missing)), "store.key");
    }

    #[test]
    fn rows_that_were_moved_or_changed_are_named() {
        let store = Sqlite::in_memory().unwrap();
        store.insert(&connection("slack", "alice")).unwrap();
        store.insert(&connection("slack", "bob")).unwrap();
        for change in [
            "UPDATE connections SET credentials =
                (SELECT credentials FROM connections WHERE id = 'alice') WHERE id = 'bob'",
            "UPDATE connections SET credentials = substr(credentials, 1, 30) WHERE id = 'bob'",
            "UPDATE connections SET credentials = x'' WHERE id = 'bob'",
        ] {
            store.durable(|db| Ok(db.execute(change, [])?)).unwrap();
            let named = Error::Tampered { integration: "slack".to_owned(), id: "bob".to_owned() };
            assert_eq!(store.connection("slack", "bob").unwrap_err(), named);
            assert_eq!(store.connections(None).unwrap_err(), named);
            assert!(store.connection("slack", "alice").unwrap().is_some());
        }
        let change = "UPDATE connections SET status = 'odd' WHERE id = 'alice'";
        store.durable(|db| Ok(db.execute(change, [])?)).unwrap();
        assert!(matches!(store.connection("slack", "alice"), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn files_that_are_no_store_are_refused_untouched() {
        let folder = folder();
        let path = folder.path().join("engine.db");
        let beside = KeySource::Beside;
        fs::write(&path, "this is a text that is long enough to be taken for a header".repeat(9))
            .unwrap();
        assert_eq!(code(Sqlite::open(&path, &beside)), "store.corrupt");
        fs::remove_file(&path).unwrap();
        let foreign = Database::open(&path).unwrap();
        foreign.execute_batch("CREATE TABLE theirs (a)").unwrap();
        drop(foreign);
        let before = fs::read(&path).unwrap();
        assert_eq!(code(Sqlite::open(&path, &beside)), "store.corrupt");
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(!folder.path().join("key").exists());
        fs::remove_file(&path).unwrap();
        drop(open(&folder));
        let raw = Database::open(&path).unwrap();
        raw.pragma_update(None, "user_version", 99).unwrap();
        drop(raw);
        assert_eq!(code(Sqlite::open(&path, &beside)), "store.newer");
        let in_the_way = folder.path().join("folder");
        fs::create_dir(&in_the_way).unwrap();
        assert_eq!(code(Sqlite::open(&in_the_way, &beside)), "store.unusable");
        assert_eq!(code(Sqlite::open(&path.join("below"), &beside)), "store.unusable");
    }

    #[test]
    fn a_damaged_store_is_an_error_and_no_panic() {
        let folder = folder();
        let path = folder.path().join("engine.db");
        let store = open(&folder);
        for number in 0..200 {
            store.insert(&connection("slack", &format!("c{number}"))).unwrap();
        }
        drop(store);
        let whole = fs::read(&path).unwrap();
        for (name, bytes) in [
            ("cut in the middle", whole[..whole.len() / 2].to_vec()),
            ("cut in the head", whole[..50].to_vec()),
            ("overwritten", [&whole[..4096], &vec![0xa5; whole.len() - 4096]].concat()),
        ] {
            fs::write(&path, bytes).unwrap();
            let found = Sqlite::open(&path, &KeySource::Beside)
                .and_then(|store| store.connections(None).map(|_| ()));
            assert!(matches!(found, Err(Error::Corrupt { .. })), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_locked_store_is_waited_for_only_so_long() {
        let folder = folder();
        let path = folder.path().join("engine.db");
        drop(open(&folder));
        let short = Duration::from_millis(20);
        let store = Sqlite::open_within(&path, &KeySource::Beside, short).unwrap();
        let holder = Database::open(&path).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        let locked = store.insert(&connection("slack", "alice")).unwrap_err();
        assert!(locked.to_string().contains("locked"), "{locked}");
        assert!(store.connections(None).unwrap().is_empty(), "reading goes on");
        assert!(Sqlite::open_within(&path, &KeySource::Beside, short).is_ok());
        holder.execute_batch("COMMIT").unwrap();
        store.insert(&connection("slack", "alice")).unwrap();
    }

    #[test]
    fn processes_that_start_at_once_agree_on_one_store() {
        for _ in 0..5 {
            let folder = folder();
            let path = Arc::new(folder.path().join("engine.db"));
            let start = Arc::new(Barrier::new(4));
            let threads: Vec<_> = (0..4)
                .map(|number| {
                    let (path, start) = (Arc::clone(&path), Arc::clone(&start));
                    std::thread::spawn(move || {
                        start.wait();
                        let store = Sqlite::open(&path, &KeySource::Beside).unwrap();
                        store.insert(&connection("slack", &format!("c{number}"))).unwrap();
                        store.begin(&run(&format!("r{number}"), number)).unwrap();
                        store.token_key().unwrap()
                    })
                })
                .collect();
            let keys: BTreeSet<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            assert_eq!(keys.len(), 1);
            assert_eq!(open(&folder).connections(None).unwrap().len(), 4);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no drafts are left");
        }
    }
}
