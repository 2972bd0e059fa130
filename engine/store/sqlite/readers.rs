//! The threads that read. They never write, and a writer is never in their way.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use rusqlite::Connection as Database;
use tokio::sync::{mpsc, oneshot};

use crate::store::{
    ports::StoreFuture,
    sqlite::fault::{self, Fault},
};

/// Questions that may wait; whoever comes then waits for a place.
const QUEUE: usize = 256;
/// Threads at most.
const THREADS: usize = 3;
/// What one may use, in bytes: as the standard library gives.
const STACK: usize = 2 << 20;

/// Opens a database for reading.
pub type Open = Arc<dyn Fn() -> Result<Database, Fault> + Send + Sync>;
/// Given the database, or why it could not be opened.
type Question = Box<dyn FnOnce(Result<&Database, Fault>) + Send>;

struct Queue {
    send: mpsc::Sender<Question>,
    receive: Arc<Mutex<mpsc::Receiver<Question>>>,
}

/// See the module.
pub struct Readers {
    path: PathBuf,
    open: Open,
    queue: OnceLock<Queue>,
    asked: Arc<AtomicUsize>,
    threads: Mutex<Vec<JoinHandle<Option<Database>>>>,
    /// Of each thread, in bytes.
    stack: usize,
}

/// A question that is not answered yet, counted until it is.
struct Asked(Arc<AtomicUsize>);

impl Asked {
    fn one_more(count: Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Readers {
    /// Reads from a file.
    pub fn new(path: PathBuf, open: Open) -> Self {
        Self {
            path,
            open,
            queue: OnceLock::new(),
            asked: Arc::default(),
            threads: Mutex::default(),
            stack: STACK,
        }
    }

    /// Asks a question.
    pub fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (answer, receive) = oneshot::channel();
        let asked = Asked::one_more(Arc::clone(&self.asked));
        let question: Question = Box::new(move |db| {
            let done = db.and_then(work);
            drop(asked);
            // The caller may have gone.
            drop(answer.send(done));
        });
        Box::pin(async move {
            let gone = || fault::stopped(&self.path);
            let queue = self.queue();
            if !self.staff(queue) {
                return Err(gone());
            }
            queue.send.send(question).await.map_err(|_| gone())?;
            receive.await.map_err(|_| gone())?.map_err(|fault| fault.at(&self.path))
        })
    }

    fn queue(&self) -> &Queue {
        self.queue.get_or_init(|| {
            let (send, receive) = mpsc::channel(QUEUE);
            Queue { send, receive: Arc::new(Mutex::new(receive)) }
        })
    }

    /// One more thread if all are busy. Whether there is any: nobody else would answer.
    fn staff(&self, queue: &Queue) -> bool {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        if threads.len() < THREADS && self.asked.load(Ordering::Relaxed) > threads.len() {
            let (open, receive) = (Arc::clone(&self.open), Arc::clone(&queue.receive));
            let work = move || run(&*open, &receive);
            let thread = std::thread::Builder::new()
                .name("store-reader".to_owned())
                .stack_size(self.stack)
                .spawn(work);
            threads.extend(thread);
        }
        !threads.is_empty()
    }

    /// Whether no thread has been needed.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.queue.get().is_none()
    }

    /// Ends the threads; their databases.
    pub fn end(&mut self) -> Vec<Database> {
        drop(self.queue.take());
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        threads.drain(..).filter_map(|thread| thread.join().ok().flatten()).collect()
    }
}

fn run(
    open: &(dyn Fn() -> Result<Database, Fault> + Send + Sync),
    queue: &Mutex<mpsc::Receiver<Question>>,
) -> Option<Database> {
    let mut database = None;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(question) = next else { return database };
        if database.is_none() {
            match open() {
                Ok(opened) => database = Some(opened),
                Err(fault) => {
                    question(Err(fault));
                    continue;
                }
            }
        }
        if let Some(opened) = &database
            && catch_unwind(AssertUnwindSafe(|| question(Ok(opened)))).is_err()
        {
            // Its caller is told, since nobody answers; the next question gets another connection.
            database = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::error::Error;

    fn readers() -> Readers {
        Readers::new(PathBuf::from("x.db"), Arc::new(|| Ok(Database::open_in_memory()?)))
    }

    fn ask(readers: &Readers) -> Result<i64, Error> {
        let question = readers.read(|db| Ok(db.query_row("SELECT 7", [], |row| row.get(0))?));
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(question)
    }

    #[test]
    fn questions_that_panic_harm_only_themselves() {
        let readers = readers();
        for _ in 0..2 * THREADS {
            let broken = readers.read(|_| -> Result<(), Fault> { panic!("a fault of ours") });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert!(runtime.block_on(broken).is_err());
            assert_eq!(ask(&readers).unwrap(), 7);
        }
        assert_eq!(readers.asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn without_a_thread_nobody_waits() {
        // More than there are addresses.
        let readers = Readers { stack: 1 << 50, ..readers() };
        assert!(ask(&readers).is_err());
        assert_eq!(readers.asked.load(Ordering::Relaxed), 0);
    }
}
