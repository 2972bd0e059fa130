//! The threads that read. They never write, and a writer is never in their way.

use std::{
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
        }
    }

    /// Asks a question.
    pub fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let (answer, receive) = oneshot::channel();
        let asked = Arc::clone(&self.asked);
        let question: Question = Box::new(move |db| {
            let done = db.and_then(work);
            asked.fetch_sub(1, Ordering::Relaxed);
            // The caller may have gone.
            drop(answer.send(done));
        });
        Box::pin(async move {
            let gone = || fault::stopped(&self.path);
            let waiting = self.asked.fetch_add(1, Ordering::Relaxed);
            let queue = self.queue();
            self.staff(queue, waiting);
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

    /// One more thread if all are busy.
    fn staff(&self, queue: &Queue, waiting: usize) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.len() < THREADS && waiting >= threads.len() {
            let (open, receive) = (Arc::clone(&self.open), Arc::clone(&queue.receive));
            let work = move || run(&*open, &receive);
            threads.extend(std::thread::Builder::new().name("store-reader".to_owned()).spawn(work));
        }
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
        if let Some(database) = &database {
            question(Ok(database));
        }
    }
}
