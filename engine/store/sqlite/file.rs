//! Opening and closing the file.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rusqlite::Connection as Database;
use tokio::sync::oneshot;

use crate::{
    clock::Clock,
    model::time::Timestamp,
    store::{
        error::Error,
        handle::Store,
        ports::StoreFuture,
        sqlite::{
            fault::{self, Fault},
            opening::Opening,
            readers::Readers,
            schema,
            shared::{Shared, Sync, connect, is_busy, leave_log},
            writer::{AT_ONCE, Writer},
        },
    },
    vault::{KeySource, Ring},
};

/// How long one process waits for another's transaction; ours take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The store in one file.
pub struct Sqlite {
    pub(super) ring: Arc<Ring>,
    pub(super) clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    /// Whether callers use the shared connection: not where looking for a key runs a command.
    inline: bool,
    writer: Writer,
    readers: Readers,
}

impl Sqlite {
    /// Opens a store. A wrong key is refused before anything is written. Other processes are waited
    /// for, for five seconds at most.
    pub async fn open(opening: Opening) -> Result<Store, Error> {
        let sqlite = Self::open_within(opening, PATIENCE).await?;
        let ring = Arc::clone(&sqlite.ring);
        Ok(Store::of(sqlite, ring))
    }

    /// The same with another patience. A store that is there and free is opened where it is called;
    /// what may take time (another process, a key command, making or raising the file) has a thread.
    pub async fn open_within(opening: Opening, patience: Duration) -> Result<Self, Error> {
        if let Some(opened) = Self::open_at_once(&opening, patience)? {
            return Ok(opened);
        }
        let path = opening.path.clone();
        let (answer, receive) = oneshot::channel();
        let work = move || drop(answer.send(Self::open_patiently(&opening, patience)));
        std::thread::Builder::new()
            .name("store-opener".to_owned())
            .spawn(work)
            .map_err(|_| fault::stopped(&path))?;
        receive.await.map_err(|_| fault::stopped(&path))?
    }

    fn open_at_once(opening: &Opening, patience: Duration) -> Result<Option<Self>, Error> {
        let path = &opening.path;
        if matches!(opening.key, KeySource::Command(_)) || !path.exists() {
            return Ok(None);
        }
        let open = || -> Result<_, Fault> {
            let database = connect(path, Duration::ZERO)?;
            let ring = schema::open(&database, opening)?;
            Ok(ring.map(|ring| (ring, database)))
        };
        match open() {
            Err(Fault::Sqlite(error)) if is_busy(&error) => Ok(None),
            Err(fault) => Err(fault.at(path)),
            Ok(opened) => {
                Ok(opened.map(|(ring, database)| Self::over(opening, ring, database, patience)))
            }
        }
    }

    fn open_patiently(opening: &Opening, patience: Duration) -> Result<Self, Error> {
        let path = &opening.path;
        make_private(path)?;
        let open = || -> Result<_, Fault> {
            let mut database = connect(path, patience)?;
            let ring = schema::prepare(&mut database, opening)?;
            Ok((ring, database))
        };
        let (ring, database) = open().map_err(|fault| fault.at(path))?;
        Ok(Self::over(opening, ring, database, patience))
    }

    fn over(opening: &Opening, ring: Ring, database: Database, patience: Duration) -> Self {
        let path = opening.path.clone();
        let inline = !matches!(opening.key, KeySource::Command(_));
        let shared = Arc::new(Shared::new(path.clone(), database, patience));
        let at_once = if inline && shared.has_short_log() { AT_ONCE } else { 0 };
        let place = path.clone();
        let open = Arc::new(move || {
            let database = connect(&place, patience)?;
            database.pragma_update(None, "query_only", true)?;
            Ok(database)
        });
        Self {
            writer: Writer::new(Arc::clone(&shared), at_once),
            readers: Readers::new(path, open),
            ring: Arc::new(ring),
            clock: Arc::clone(&opening.clock),
            shared,
            inline,
        }
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

    /// The same for a caller that cannot wait.
    pub(super) fn note(&self, work: impl FnOnce(&Database) -> Result<(), Fault> + Send + 'static) {
        self.writer.note(work);
    }

    /// A question whose answer is a few rows: asked where it is called, unless the connection or
    /// the file is in use.
    pub(super) fn look<T: Send + 'static>(
        &self,
        work: impl Fn(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(async move {
            if let Some(done) = self.look_at_once(&work) {
                return done.map_err(|fault| fault.at(&self.shared.path));
            }
            self.readers.read(work).await
        })
    }

    /// A question whose answer may be long.
    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.readers.read(work)
    }

    /// Removes old rows: asked on many starts and mostly for nothing, so that `any` looks first,
    /// without the writers' lock, whether there are some from before `?1`.
    pub(super) fn prune(
        &self,
        any: &'static str,
        before: Timestamp,
        remove: impl FnOnce(&Database) -> Result<usize, Fault> + Send + 'static,
    ) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let exists = format!("SELECT EXISTS ({any})");
            let look = move |db: &Database| {
                Ok(db.query_row(&exists, [before.0], |row| row.get::<_, bool>(0))?)
            };
            if !self.look(look).await? {
                return Ok(0);
            }
            self.record(|db| Ok(remove(db)? as u64)).await
        })
    }

    fn look_at_once<T>(
        &self,
        work: impl Fn(&Database) -> Result<T, Fault>,
    ) -> Option<Result<T, Fault>> {
        let database = if self.inline { self.shared.at_once() } else { None }?;
        match work(&database) {
            Err(Fault::Sqlite(error)) if is_busy(&error) => None,
            done => Some(done),
        }
    }
}

/// SQLite moves the write-ahead log into the database when the last connection closes: syncs and
/// removals at the end of every `engine run`, and more at the start of the next one. A process
/// that has only written run records leaves a short log where it is. One that has changed an
/// account does not: somebody may copy only the database file.
impl Drop for Sqlite {
    fn drop(&mut self) {
        let readers = self.readers.end();
        let durable = self.writer.end();
        if !self.shared.has_short_log() || durable {
            return;
        }
        for db in &readers {
            leave_log(db);
        }
        leave_log(&self.shared.patiently());
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
        if folder.file_name().is_some_and(|name| name == OWN_FOLDER) {
            ignore(folder).map_err(|error| fault::io(folder, &error))?;
        }
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fault::io(path, &error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The folder of a project that is the store's alone.
const OWN_FOLDER: &str = ".engine";

/// Keeps the folder, with the key in it, out of version control (gitignore(5)).
fn ignore(folder: &Path) -> io::Result<()> {
    let mut new = OpenOptions::new();
    match new.write(true).create_new(true).mode(0o600).open(folder.join(".gitignore")) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemClock, model::name::EnvironmentName};

    fn wait<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn open(folder: &tempfile::TempDir) -> Sqlite {
        let opening = Opening {
            path: folder.path().join("engine.db"),
            key: KeySource::Beside,
            environment: EnvironmentName::usual(),
            clock: Arc::new(SystemClock::new()),
        };
        wait(Sqlite::open_within(opening, PATIENCE)).unwrap()
    }

    fn put(db: &Database) -> Result<(), Fault> {
        db.execute("INSERT INTO limits VALUES (hex(randomblob(9)), 1, '', 0)", [])?;
        Ok(())
    }

    fn count(db: &Database) -> Result<u32, Fault> {
        Ok(db.query_row("SELECT count(*) FROM limits", [], |row| row.get(0))?)
    }

    #[test]
    fn a_short_command_starts_no_thread() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(&folder);
        wait(first.record(put)).unwrap();
        assert!(!first.writer.is_idle(), "a new log is synced");
        drop(first);
        let short = open(&folder);
        for _ in 0..AT_ONCE {
            wait(short.record(put)).unwrap();
        }
        assert_eq!(wait(short.look(count)).unwrap(), 1 + AT_ONCE);
        assert!(short.writer.is_idle() && short.readers.is_idle());
        wait(short.record(put)).unwrap();
        assert!(!short.writer.is_idle(), "who writes more has a thread");
        drop(short);
        let durable = open(&folder);
        wait(durable.change(put)).unwrap();
        assert!(!durable.writer.is_idle(), "a sync is waited for in a thread");
        // Readers have threads while somebody writes.
        let busy = durable.shared.patiently();
        assert_eq!(wait(durable.look(count)).unwrap(), 3 + AT_ONCE);
        assert!(!durable.readers.is_idle());
        drop(busy);
    }

    #[test]
    fn a_record_that_would_wait_goes_to_the_thread() {
        let folder = tempfile::tempdir().unwrap();
        wait(open(&folder).record(put)).unwrap();
        let one = open(&folder);
        let holder = Database::open(&one.shared.path).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        let done = wait(async {
            let write = one.record(put);
            let release = async {
                tokio::task::yield_now().await;
                holder.execute_batch("COMMIT").unwrap();
            };
            tokio::join!(write, release).0
        });
        done.unwrap();
        assert!(!one.writer.is_idle());
        assert_eq!(wait(one.look(count)).unwrap(), 2);
    }

    #[test]
    fn a_file_that_is_held_is_opened_by_a_thread() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(&folder));
        let path = folder.path().join("engine.db");
        let holder = Database::open(&path).unwrap();
        holder.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
        let opening = Opening {
            path,
            key: KeySource::Beside,
            environment: EnvironmentName::usual(),
            clock: Arc::new(SystemClock::new()),
        };
        // The lock is given back by work of the runtime that opens.
        let opened = wait(async {
            let release = async {
                tokio::task::yield_now().await;
                holder.execute_batch("COMMIT").unwrap();
            };
            tokio::join!(Sqlite::open_within(opening, PATIENCE), release).0
        });
        assert_eq!(wait(opened.unwrap().look(count)).unwrap(), 0);
    }
}
