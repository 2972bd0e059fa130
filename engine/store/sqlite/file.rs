//! Opening and closing the file.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection as Database, ErrorCode, OpenFlags, config::DbConfig};

use crate::{
    clock::Clock,
    model::name::EnvironmentName,
    store::{
        error::Error,
        handle::Store,
        ports::StoreFuture,
        sqlite::{
            fault::{self, Fault},
            readers::Readers,
            schema::{self, Identity},
            seals,
            writer::{Sync, Writer},
        },
    },
    vault::{KeyFile, KeySource, Ring},
};

/// How long one process waits for another's transaction; ours take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Statements kept ready for each connection.
const STATEMENTS: usize = 64;

/// The longest write-ahead log that a process leaves behind, in bytes. The next one reads it once
/// when it opens the store, which must cost less than what was saved.
const LEFT_BEHIND: u64 = 512 * 1024;

/// How a store is opened.
#[derive(Clone)]
pub struct Opening {
    /// The file; made, with its folder and its key, if it is not there.
    pub path: PathBuf,
    /// Where its key comes from.
    pub key: KeySource,
    /// The name of its environment.
    pub environment: EnvironmentName,
    /// The store's time.
    pub clock: Arc<dyn Clock>,
}

/// The store in one file.
pub struct Sqlite {
    pub(super) ring: Arc<Ring>,
    pub(super) clock: Arc<dyn Clock>,
    path: PathBuf,
    writer: Writer,
    readers: Readers,
}

impl Sqlite {
    /// Opens a store. A wrong key is refused before anything is written. Waits for other processes,
    /// for five seconds at most: to be called where waiting is no harm.
    pub fn open(opening: Opening) -> Result<Store, Error> {
        let sqlite = Self::open_within(opening, PATIENCE)?;
        let ring = Arc::clone(&sqlite.ring);
        Ok(Store::of(sqlite, ring))
    }

    /// The same with another patience.
    pub fn open_within(opening: Opening, patience: Duration) -> Result<Self, Error> {
        let Opening { path, key, environment, clock } = opening;
        make_private(&path)?;
        let open = || -> Result<_, Fault> {
            let mut database = connect(&path, patience)?;
            let origin = KeyFile { source: key, beside: path.with_file_name("key") };
            let identity = Identity { path: &path, environment: &environment };
            let ring = Arc::new(schema::prepare(&mut database, origin, identity)?);
            write_ahead(&database)?;
            database.pragma_update(None, "synchronous", "NORMAL")?;
            seals::register(&database, &ring)?;
            Ok((ring, database))
        };
        let (ring, database) = open().map_err(|fault| fault.at(&path))?;
        let reading = (path.clone(), Arc::clone(&ring));
        let open = Arc::new(move || {
            let (path, ring) = &reading;
            let database = connect(path, patience)?;
            database.pragma_update(None, "query_only", true)?;
            seals::register(&database, ring)?;
            Ok(database)
        });
        Ok(Self {
            writer: Writer::new(path.clone(), database),
            readers: Readers::new(path.clone(), open),
            ring,
            clock,
            path,
        })
    }

    /// A durable change.
    pub(super) fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.writer.write(Sync::Full, work)
    }

    /// A change that a power cut may undo.
    pub(super) fn record<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.writer.write(Sync::Normal, work)
    }

    /// The same for whoever cannot wait.
    pub(super) fn note(&self, work: impl FnOnce(&Database) -> Result<(), Fault> + Send + 'static) {
        self.writer.note(work);
    }

    /// A question.
    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.readers.read(work)
    }
}

/// SQLite moves the write-ahead log into the database when the last connection closes: syncs and
/// removals at the end of every `engine run`, and more at the start of the next one. A process
/// that has only written run records leaves a short log where it is. One that has changed an
/// account does not: somebody may copy only the database file.
impl Drop for Sqlite {
    fn drop(&mut self) {
        let readers = self.readers.end();
        let (writer, durable) = self.writer.end();
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let short = fs::metadata(log).is_ok_and(|log| (1..=LEFT_BEHIND).contains(&log.len()));
        if !short || durable {
            return;
        }
        for db in readers.iter().chain(&writer) {
            // Where it fails, the log is moved as ever.
            drop(db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
        }
    }
}

/// The folder 0700 and the file 0600 from the first moment; SQLite gives its journals the mode of
/// the file. What exists keeps its mode, and is not opened: closing it would drop all locks that
/// this process has on it (`fcntl(2)`), those of another connection as well.
fn make_private(path: &Path) -> Result<(), Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| fault::io(folder, &error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fault::io(path, &error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn connect(path: &Path, patience: Duration) -> Result<Database, Fault> {
    // No mutex of its own, a thread has it; and no URIs: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Database::open_with_flags(path, flags)?;
    db.busy_timeout(patience)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
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
