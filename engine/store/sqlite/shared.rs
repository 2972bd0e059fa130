//! The connection that callers and the writing thread share.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
};

use rusqlite::{Connection as Database, ErrorCode, OpenFlags, config::DbConfig};

use crate::store::sqlite::fault::Fault;

/// Statements kept ready for each connection.
const STATEMENTS: usize = 64;

/// The longest write-ahead log that a process leaves behind, in bytes. The next one reads it once
/// when it opens the store, which must cost less than what was saved.
const LEFT_BEHIND: u64 = 512 * 1024;

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Survives a power cut.
    Full,
    /// Survives the death of the process.
    Normal,
}

/// A connection with the settings that all of ours have. It waits for other processes so long.
pub fn connect(path: &Path, patience: Duration) -> Result<Database, Fault> {
    // No mutex of its own, ours is around it; and no URIs: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Database::open_with_flags(path, flags)?;
    db.busy_timeout(patience)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    Ok(db)
}

/// See the module.
pub struct Shared {
    /// The file.
    pub path: PathBuf,
    patience: Duration,
    state: Mutex<State>,
}

struct State {
    database: Database,
    /// The mode that it is in; `None` before the first write.
    sync: Option<Sync>,
}

/// The connection, while somebody has it.
pub struct InUse<'a>(MutexGuard<'a, State>);

impl Deref for InUse<'_> {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0.database
    }
}

impl InUse<'_> {
    /// Sets how the next commits are written.
    pub fn prepare(&mut self, wanted: Sync) -> Result<(), rusqlite::Error> {
        let State { database, sync } = &mut *self.0;
        if *sync == Some(wanted) {
            return Ok(());
        }
        if sync.is_none() {
            write_ahead(database)?;
        }
        let mode = if wanted == Sync::Full { "FULL" } else { "NORMAL" };
        database.pragma_update(None, "synchronous", mode)?;
        *sync = Some(wanted);
        Ok(())
    }
}

impl Shared {
    /// Shares a connection that nothing has been written with.
    pub fn new(path: PathBuf, database: Database, patience: Duration) -> Self {
        Self { path, patience, state: Mutex::new(State { database, sync: None }) }
    }

    /// The connection, waiting for no other process; `None` if it is in use.
    pub fn at_once(&self) -> Option<InUse<'_>> {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        state.database.busy_timeout(Duration::ZERO).ok()?;
        Some(InUse(state))
    }

    /// The connection, once it is free, waiting for other processes.
    pub fn patiently(&self) -> InUse<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Where it fails, a busy file is an error at once.
        drop(state.database.busy_timeout(self.patience));
        InUse(state)
    }

    /// Whether there is a write-ahead log, and a short one: a few more pages wait for no disk,
    /// neither for its first one nor for moving it into the database.
    pub fn has_short_log(&self) -> bool {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        fs::metadata(log).is_ok_and(|log| (1..=LEFT_BEHIND).contains(&log.len()))
    }
}

/// Lets a connection leave the write-ahead log where it is when it closes.
pub fn leave_log(db: &Database) {
    // Where it fails, the log is moved as ever.
    drop(db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true));
}

/// The mode is a property of the file, so that this changes something only once. Where another
/// process is in the way, the old mode serves as well, and a later start changes it.
fn write_ahead(db: &Database) -> Result<(), rusqlite::Error> {
    match db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
        Err(error) if is_busy(&error) => Ok(()),
        done => done,
    }
}

/// Whether another process or connection is in the way.
pub fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
