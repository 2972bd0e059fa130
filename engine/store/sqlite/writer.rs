//! The thread that writes; the first records of a process are written without it.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use rusqlite::Connection as Database;
use tokio::sync::{mpsc, oneshot};

use crate::store::{
    error::Error,
    ports::StoreFuture,
    sqlite::{
        fault::{self, Fault},
        shared::{Shared, Sync},
    },
};

/// Pieces of work that may wait; whoever comes then waits for a place.
const QUEUE: usize = 1024;
/// Pieces that go into one transaction.
const BATCH: usize = 128;

/// Records that a process writes where they are made, each in a transaction of its own: as many as
/// a short command has. A thread costs more than they do; who makes more of them gets one.
pub const AT_ONCE: u32 = 8;

/// A piece of work.
trait Work: Send {
    /// Does it within the transaction; whether it is to be kept.
    fn run(&mut self, db: &Database) -> bool;
    /// Tells the caller how it ended; given the error of the transaction, if that failed.
    fn tell(self: Box<Self>, failed: Option<Error>);
}

struct Piece {
    sync: Sync,
    work: Box<dyn Work>,
}

/// A piece of work, what it came to, and who wants to know.
struct Write<T, W> {
    work: Option<W>,
    done: Option<Result<T, Fault>>,
    /// `None`: nobody waits.
    answer: Option<oneshot::Sender<Result<T, Error>>>,
    path: PathBuf,
}

impl<T, W> Work for Write<T, W>
where
    T: Send,
    W: FnOnce(&Database) -> Result<T, Fault> + Send,
{
    fn run(&mut self, db: &Database) -> bool {
        // Who panics harms nobody else; its caller is told, since there is no answer.
        let work = self.work.take();
        self.done = work.and_then(|work| catch_unwind(AssertUnwindSafe(|| work(db))).ok());
        matches!(self.done, Some(Ok(_)))
    }

    fn tell(self: Box<Self>, failed: Option<Error>) {
        let done = match (failed, self.done) {
            (Some(error), _) => Err(error),
            (None, Some(done)) => done.map_err(|fault| fault.at(&self.path)),
            (None, None) => Err(fault::stopped(&self.path)),
        };
        match (self.answer, done) {
            // The caller may have gone.
            (Some(answer), done) => drop(answer.send(done)),
            (None, Err(error)) => tracing::error!(%error, "a record could not be written"),
            (None, Ok(_)) => {}
        }
    }
}

/// See the module.
pub struct Writer {
    shared: Arc<Shared>,
    /// Records that may still be written without the thread.
    at_once: AtomicU32,
    queue: OnceLock<mpsc::Sender<Piece>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    durable: Arc<AtomicBool>,
    dropped: AtomicU64,
}

impl Writer {
    /// Writes through a connection, the first records without a thread.
    pub fn new(shared: Arc<Shared>, at_once: u32) -> Self {
        Self {
            shared,
            at_once: AtomicU32::new(at_once),
            queue: OnceLock::new(),
            thread: Mutex::default(),
            durable: Arc::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Does `work` within a transaction. What it answers is committed when the caller has it.
    pub fn write<T: Send + 'static>(
        &self,
        sync: Sync,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (answer, receive) = oneshot::channel();
        let piece = self.piece(sync, work, Some(answer));
        Box::pin(async move {
            let gone = || fault::stopped(&self.shared.path);
            if let Err(piece) = self.write_at_once(piece) {
                self.queue().send(piece).await.map_err(|_| gone())?;
            }
            receive.await.map_err(|_| gone())?
        })
    }

    /// Does `work` soon, and tells nobody; drops it if too much waits.
    pub fn note(&self, work: impl FnOnce(&Database) -> Result<(), Fault> + Send + 'static) {
        let Err(piece) = self.write_at_once(self.piece(Sync::Normal, work, None)) else { return };
        if self.queue().try_send(piece).is_err() {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::error!(dropped, "a record was dropped: the store is behind");
        }
    }

    fn piece<T: Send + 'static>(
        &self,
        sync: Sync,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
        answer: Option<oneshot::Sender<Result<T, Error>>>,
    ) -> Piece {
        let path = self.shared.path.clone();
        Piece { sync, work: Box::new(Write { work: Some(work), done: None, answer, path }) }
    }

    /// Writes a record without the thread, if there is none yet and nothing has to be waited for;
    /// else hands it back.
    fn write_at_once(&self, piece: Piece) -> Result<(), Piece> {
        let one_less = |left: u32| left.checked_sub(1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        if piece.sync == Sync::Full
            || self.queue.get().is_some()
            || self.at_once.fetch_update(set, fetch, one_less).is_err()
        {
            return Err(piece);
        }
        let Some(mut database) = self.shared.at_once() else { return Err(piece) };
        // What fails here fails in the thread as well, or has passed by then.
        if database.prepare(Sync::Normal).is_err() || begin(&database).is_err() {
            return Err(piece);
        }
        commit(&database, vec![piece], &self.shared.path);
        Ok(())
    }

    fn queue(&self) -> &mpsc::Sender<Piece> {
        self.queue.get_or_init(|| {
            let (send, receive) = mpsc::channel(QUEUE);
            let (shared, durable) = (Arc::clone(&self.shared), Arc::clone(&self.durable));
            let work = move || run(&shared, receive, &durable);
            // Without a thread the queue is closed, and every caller is told.
            let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(work);
            *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = thread.ok();
            send
        })
    }

    /// Whether the thread has not been needed.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.queue.get().is_none()
    }

    /// Waits until everything is written; whether anything durable was.
    pub fn end(&mut self) -> bool {
        drop(self.queue.take());
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let ended = thread.map(JoinHandle::join);
        self.durable.load(Ordering::Relaxed) || matches!(ended, Some(Err(_)))
    }
}

fn run(shared: &Shared, mut queue: mpsc::Receiver<Piece>, durable: &AtomicBool) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(piece) = queue.try_recv()
        {
            batch.push(piece);
        }
        let full = batch.iter().any(|piece| piece.sync == Sync::Full);
        let mut database = shared.patiently();
        let before = database.total_changes();
        if let Err(error) = database.prepare(if full { Sync::Full } else { Sync::Normal }) {
            tell(
                batch.into_iter().map(|piece| piece.work).collect(),
                Some(&Fault::from(error).at(&shared.path)),
            );
            continue;
        }
        commit(&database, batch, &shared.path);
        if full && database.total_changes() > before {
            durable.store(true, Ordering::Relaxed);
        }
    }
}

fn begin(database: &Database) -> Result<(), rusqlite::Error> {
    database.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
}

/// One transaction for all; it may have begun. An error that ends the transaction is told to all that were in it; the
/// others begin a new one.
fn commit(database: &Database, batch: Vec<Piece>, path: &Path) {
    let mut pieces = batch.into_iter();
    let mut kept: Vec<Box<dyn Work>> = Vec::new();
    while let Some(Piece { mut work, .. }) = pieces.next() {
        if database.is_autocommit()
            && let Err(error) = begin(database)
        {
            // Whoever holds the lock has held it longer than anybody should wait.
            let error = Fault::from(error).at(path);
            tell(vec![work], Some(&error));
            return tell(pieces.map(|piece| piece.work).collect(), Some(&error));
        }
        let done = under_savepoint(database, &mut *work);
        if done.is_err() && !database.is_autocommit() {
            // What the piece has written cannot be told from what the others have.
            drop(database.execute_batch("ROLLBACK"));
        }
        let gone = database.is_autocommit();
        // `gone`: the whole transaction, such as when the disk is full.
        match done {
            Ok(true) if !gone => {
                kept.push(work);
                continue;
            }
            Ok(true) => work.tell(Some(fault::undone(path))),
            Ok(false) => work.tell(None),
            Err(error) => work.tell(Some(Fault::from(error).at(path))),
        }
        if gone {
            tell(mem::take(&mut kept), Some(&fault::undone(path)));
        }
    }
    if database.is_autocommit() {
        return;
    }
    let commit = || database.prepare_cached("COMMIT")?.execute([]).map(drop);
    match commit() {
        Ok(()) => tell(kept, None),
        Err(error) => {
            let error = Fault::from(error).at(path);
            if !database.is_autocommit() {
                drop(database.execute_batch("ROLLBACK"));
            }
            tell(kept, Some(&error));
        }
    }
}

fn tell(all: Vec<Box<dyn Work>>, failed: Option<&Error>) {
    for work in all {
        work.tell(failed.cloned());
    }
}

/// Whether the piece is to be kept. An error: it was not done, or what it did stands among the work
/// of the others and cannot be taken out alone.
fn under_savepoint(database: &Database, work: &mut dyn Work) -> Result<bool, rusqlite::Error> {
    let execute = |sql: &str| database.prepare_cached(sql)?.execute([]).map(drop);
    execute("SAVEPOINT piece")?;
    let keep = work.run(database);
    if !database.is_autocommit() {
        if !keep {
            execute("ROLLBACK TO piece")?;
        }
        execute("RELEASE piece")?;
    }
    Ok(keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = oneshot::Receiver<Result<(), Error>>;

    fn piece(
        work: impl FnOnce(&Database) -> Result<(), Fault> + Send + 'static,
    ) -> (Piece, Answer) {
        let (answer, receive) = oneshot::channel();
        let path = PathBuf::from("x.db");
        let work = Box::new(Write { work: Some(work), done: None, answer: Some(answer), path });
        (Piece { sync: Sync::Full, work }, receive)
    }

    fn put(db: &Database, number: i64) -> Result<(), Fault> {
        db.execute("INSERT INTO t VALUES (?1)", [number])?;
        Ok(())
    }

    fn database() -> Database {
        let db = Database::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE t (a)").unwrap();
        db
    }

    fn kept(db: &Database) -> Vec<i64> {
        let mut rows = db.prepare("SELECT a FROM t ORDER BY a").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn fails(db: &Database, number: i64) -> Result<(), Fault> {
        put(db, number)?;
        Err(Fault::NoRun)
    }

    #[test]
    fn a_piece_that_fails_takes_back_what_it_wrote_and_nothing_else() {
        let db = database();
        let (one, mut first) = piece(|db| put(db, 1));
        let (two, mut second) = piece(|db| fails(db, 2));
        let (three, mut third) = piece(|db| put(db, 3));
        commit(&db, vec![one, two, three], Path::new("x.db"));
        assert_eq!(kept(&db), [1, 3]);
        let told = [&mut first, &mut second, &mut third].map(|one| one.try_recv().unwrap().is_ok());
        assert_eq!(told, [true, false, true]);
    }

    #[test]
    fn what_cannot_be_taken_back_alone_is_taken_back_with_all_before_it() {
        let db = database();
        let (one, mut first) = piece(|db| put(db, 1));
        let (two, mut second) = piece(|db| {
            db.execute_batch("RELEASE piece")?;
            fails(db, 2)
        });
        let (three, mut third) = piece(|db| put(db, 3));
        commit(&db, vec![one, two, three], Path::new("x.db"));
        assert_eq!(kept(&db), [3]);
        let told = [&mut first, &mut second, &mut third].map(|one| one.try_recv().unwrap().is_ok());
        assert_eq!(told, [false, false, true]);
    }

    #[test]
    fn without_a_savepoint_a_piece_is_not_done() {
        let db = database();
        // SQLite sets none while a statement that writes is not finished.
        let mut open = db.prepare("INSERT INTO t VALUES (0), (9) RETURNING a").unwrap();
        let mut rows = open.query([]).unwrap();
        assert!(rows.next().unwrap().is_some());
        let (one, mut first) = piece(|db| put(db, 1));
        commit(&db, vec![one], Path::new("x.db"));
        assert!(first.try_recv().unwrap().is_err());
        assert!(db.is_autocommit());
        drop(rows);
        assert!(!kept(&db).contains(&1));
    }
}
