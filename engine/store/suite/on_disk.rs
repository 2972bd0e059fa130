//! What is SQLite's affair: the file, its locks, what is left behind.

use std::{
    collections::BTreeSet,
    fs,
    future::Future,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection as Database;

use crate::{
    clock::SystemClock,
    diagnostic::Explain,
    model::{
        name::EnvironmentName,
        record::{RunRecord, RunStatus},
        time::Timestamp,
    },
    store::{
        error::Error,
        handle::Store,
        ports::{
            accounts::{AccountQuery, Use},
            permits::PermitAsk,
        },
        process,
        sqlite::Opening,
        sqlite::Sqlite,
        suite::{
            records::{attempt, run},
            subject::{add, key, new, open},
        },
    },
    vault::KeySource,
};

const MARKER: &str = "plain-text-marker-7c1f";

fn opening(path: &Path, key: KeySource) -> Opening {
    let clock = Arc::new(SystemClock::new());
    Opening { path: path.to_owned(), key, environment: EnvironmentName::usual(), clock }
}

/// Opens one.
pub fn open_at(path: &Path, key: KeySource) -> Result<Store, Error> {
    wait(Sqlite::open(opening(path, key)))
}

/// In a folder.
pub fn store(folder: &tempfile::TempDir) -> Store {
    open_at(&folder.path().join("engine.db"), KeySource::Beside).unwrap()
}

/// The code with which it is refused.
pub fn refused(path: &Path, key: KeySource) -> &'static str {
    open_at(path, key).err().expect("an error").code()
}

/// An empty one.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs a future that needs no clock of tokio's.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

#[test]
fn only_records_and_only_a_few_are_left_in_the_log() {
    let folder = folder();
    let log = folder.path().join("engine.db-wal");
    let one = store(&folder);
    wait(add(&one, new("slack", "alice", "t")));
    drop(one);
    assert!(!log.exists());

    let one = store(&folder);
    wait(one.runs.begin(run("few", 1))).unwrap();
    drop(one);
    assert!(log.exists());
    let one = store(&folder);
    assert!(wait(one.runs.get("few")).unwrap().is_some());
    one.runs.note(run("few", 1), (0..9_999).map(attempt).collect());
    drop(one);
    assert!(!log.exists());
    let attempts = wait(store(&folder).runs.attempts("few")).unwrap();
    assert_eq!(attempts.len(), 9_999, "what was noted is written before the store is closed");
}

#[test]
fn nothing_secret_reaches_a_file_and_nobody_else_may_read_them() {
    let folder = folder();
    let path = folder.path().join("deep/er/engine.db");
    let one = open_at(&path, KeySource::Beside).unwrap();
    wait(add(&one, new("slack", "alice", MARKER)));
    wait(one.runs.begin(run("r", 1))).unwrap();
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
    for below in ["deep", "deep/er"] {
        let mode = fs::metadata(folder.path().join(below)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{below}");
    }
}

#[test]
fn a_store_belongs_to_one_environment() {
    let folder = folder();
    drop(store(&folder));
    let path = folder.path().join("engine.db");
    let other =
        Opening { environment: "production".parse().unwrap(), ..opening(&path, KeySource::Beside) };
    let error = wait(Sqlite::open(other)).err().unwrap();
    assert_eq!(error.code(), "store.other-environment");
    assert!(error.hint().unwrap().contains("--environment default"));
}

#[test]
fn places_of_a_dead_process_are_free_at_once() {
    let folder = folder();
    let one = store(&folder);
    let hold = |holder: &str| {
        let (bucket, holder) = ("slack".to_owned(), holder.to_owned());
        let term = Duration::from_mins(1);
        wait(one.permits.hold(PermitAsk { bucket, holder, most: 1, wanted: 1, term })).unwrap()
    };
    assert_eq!((hold("one"), hold("two")), (1, 0));
    let process = process::current().rsplit_once(' ').unwrap().0;
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    raw.execute("UPDATE permits SET holder = ?1", [format!("one {process} 1")]).unwrap();
    assert_eq!(hold("two"), 1);
}

#[test]
fn a_locked_store_is_waited_for_only_so_long() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    drop(store(&folder));
    let patience = Duration::from_millis(20);
    let short = || wait(Sqlite::open_within(opening(&path, KeySource::Beside), patience));
    let ring = Arc::clone(&store(&folder).ring);
    let one = Store::of(short().unwrap(), ring);
    let holder = Database::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let locked = wait(one.accounts.add_many(vec![new("slack", "alice", "t")])).unwrap_err();
    assert!(locked.to_string().contains("locked"), "{locked}");
    assert!(wait(one.accounts.get(&key("slack", "alice"))).unwrap().is_none(), "reading goes on");
    assert!(short().is_ok());
    holder.execute_batch("COMMIT").unwrap();
    wait(add(&one, new("slack", "alice", "t")));
}

/// Another process holds the file: only the store's threads wait, not the runtime's. The lock is
/// given back by work of that runtime, so that a store that stops it never gets it.
#[test]
fn a_locked_store_does_not_stop_the_runtime() {
    let folder = folder();
    let one = store(&folder);
    wait(add(&one, new("slack", "alice", "t")));
    let holder = Database::open(folder.path().join("engine.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let released = AtomicBool::new(false);
    wait(async {
        let change = async {
            one.accounts.touch(key("slack", "alice"), Use::Run);
            one.runs.begin(run("r", 1)).await.unwrap();
            add(&one, new("slack", "bob", "t")).await;
            assert!(released.load(Ordering::SeqCst), "it was written while the file was locked");
        };
        let ticks = async {
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            // Reading goes on.
            open(&one, &key("slack", "alice")).await;
            released.store(true, Ordering::SeqCst);
            holder.execute_batch("COMMIT").unwrap();
        };
        tokio::join!(change, ticks);
    });
}

#[test]
fn what_fails_in_a_shared_transaction_fails_alone() {
    let folder = folder();
    let one = store(&folder);
    let results = wait(async {
        let adds = (0..40).map(|number| {
            // Every second one is taken.
            let id = format!("c{}", number / 2);
            one.accounts.add_many(vec![new("slack", &id, "t")])
        });
        futures_util::future::join_all(adds).await
    });
    let taken = |result: &Result<Vec<Result<_, Error>>, Error>| {
        matches!(result.as_ref().unwrap().as_slice(), [Err(Error::Exists { .. })])
    };
    assert_eq!(results.iter().filter(|result| taken(result)).count(), 20);
    let query = AccountQuery { limit: 99, ..AccountQuery::default() };
    assert_eq!(wait(one.accounts.page(query)).unwrap().accounts.len(), 20);
}

#[test]
fn a_run_whose_process_died_shows_as_interrupted() {
    let folder = folder();
    let one = store(&folder);
    wait(one.runs.begin(run("gone", 1))).unwrap();
    wait(one.runs.begin(run("here", 2))).unwrap();
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    raw.execute("UPDATE runs SET process = 'boot pid:[1] 1 1' WHERE id = 'gone'", []).unwrap();
    let status = |id: &'static str| wait(one.runs.get(id)).unwrap().unwrap().status.as_str();
    assert_eq!((status("gone"), status("here")), ("interrupted", "running"));
    for number in 3..9 {
        wait(one.runs.begin(run(&format!("here_{number}"), number))).unwrap();
    }
    wait(one.runs.begin(run("done", 50))).unwrap();
    let done = RunRecord { status: RunStatus::Succeeded, ..run("done", 50) };
    wait(one.runs.finish(done, Vec::new())).unwrap();
    let before = |ms| Timestamp(ms);
    assert_eq!(wait(one.runs.prune(before(100), 3)).unwrap(), 2, "what still runs stays");
    assert!(wait(one.runs.get("done")).unwrap().is_none(), "and keeps no other");
    let month = 31 * 24 * 60 * 60 * 1000;
    assert_eq!(wait(one.runs.prune(before(month), 3)).unwrap(), 3, "no run takes so long");
}

#[test]
fn processes_that_start_at_once_agree_on_one_store() {
    for _ in 0..3 {
        let folder = folder();
        let path: Arc<PathBuf> = Arc::new(folder.path().join("engine.db"));
        let start = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (path, start) = (Arc::clone(&path), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    let one = open_at(&path, KeySource::Beside).unwrap();
                    wait(add(&one, new("slack", &format!("c{number}"), "t")));
                    wait(one.runs.begin(run(&format!("r{number}"), number))).unwrap();
                    one.ring.token_key().unwrap()
                })
            })
            .collect();
        let keys: BTreeSet<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        assert_eq!(keys.len(), 1);
        let query = AccountQuery { limit: 9, ..AccountQuery::default() };
        assert_eq!(wait(store(&folder).accounts.page(query)).unwrap().accounts.len(), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no drafts are left");
    }
}
