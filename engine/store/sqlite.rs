//! `Sqlite`: the memory in one file.

use std::{
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection as Database, ErrorCode, OpenFlags, TransactionBehavior};

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
        port::{Error, RunFilter, Store},
        runs, schema,
        seal::Key,
    },
};

/// How long one process waits for another's transaction; ours take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Statements kept ready for each connection.
const STATEMENTS: usize = 32;

/// The store in one file.
pub struct Sqlite {
    path: PathBuf,
    key: Key,
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
            let key = schema::prepare(&mut durable, source, path)?;
            write_ahead(&durable)?;
            durable.pragma_update(None, "synchronous", "FULL")?;
            let quick = connect(path, patience)?;
            quick.pragma_update(None, "synchronous", "NORMAL")?;
            Ok((key, durable, quick))
        };
        let (key, durable, quick) = open().map_err(|fault| fault.at(path))?;
        Ok(Self {
            path: path.to_owned(),
            key,
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
            schema::create(&mut durable, &path, || Ok(key))?
                .ok_or(Fault::NoRun)
                .map(|key| (key, durable))
        };
        let (key, durable) = open().map_err(|fault| fault.at(&path))?;
        Ok(Self { path, key, durable: Mutex::new(durable), quick: None })
    }

    fn durable<T>(&self, work: impl FnOnce(&mut Database) -> Result<T, Fault>) -> Result<T, Error> {
        work(&mut lock(&self.durable)).map_err(|fault| fault.at(&self.path))
    }

    fn quick<T>(&self, work: impl FnOnce(&mut Database) -> Result<T, Fault>) -> Result<T, Error> {
        let database = self.quick.as_ref().unwrap_or(&self.durable);
        work(&mut lock(database)).map_err(|fault| fault.at(&self.path))
    }
}

impl Store for Sqlite {
    fn connection(&self, integration: &str, id: &str) -> Result<Option<Connection>, Error> {
        self.durable(|db| connections::get(db, &self.key, (integration, id)))
    }

    fn connections(&self, integration: Option<&str>) -> Result<Vec<Connection>, Error> {
        self.durable(|db| connections::list(db, &self.key, integration))
    }

    fn insert(&self, connection: &Connection) -> Result<(), Error> {
        self.durable(|db| connections::insert(db, &self.key, connection))
    }

    fn update(&self, connection: &Connection) -> Result<i64, Error> {
        self.durable(|db| connections::update(db, &self.key, connection))
    }

    fn delete(&self, integration: &str, id: &str) -> Result<bool, Error> {
        self.durable(|db| connections::delete(db, integration, id))
    }

    fn touch(&self, integration: &str, id: &str, now: Timestamp) -> Result<(), Error> {
        self.quick(|db| connections::touch(db, (integration, id), now))
    }

    fn token_key(&self) -> Result<[u8; 32], Error> {
        Ok(self.key.token_key())
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
