//! What is SQLite's affair: keys, damage, locks, what is left behind.

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
    model::{name::EnvironmentName, secret::Secret},
    store::{
        error::Error,
        handle::Store,
        ports::{
            accounts::{AccountQuery, Use},
            secrets::{LeaseAnswer, LeaseAsk},
        },
        rotation,
        sqlite::Opening,
        sqlite::Sqlite,
        suite::{
            records::{attempt, run},
            subject::{add, is, key, new, open},
        },
    },
    vault::KeySource,
};

const MARKER: &str = "plain-text-marker-7c1f";

fn opening(path: &Path, key: KeySource) -> Opening {
    let clock = Arc::new(SystemClock::new());
    Opening { path: path.to_owned(), key, environment: EnvironmentName::usual(), clock }
}

fn open_at(path: &Path, key: KeySource) -> Result<Store, Error> {
    wait(Sqlite::open(opening(path, key)))
}

/// In a folder.
pub fn store(folder: &tempfile::TempDir) -> Store {
    open_at(&folder.path().join("engine.db"), KeySource::Beside).unwrap()
}

fn refused(path: &Path, key: KeySource) -> &'static str {
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
fn only_the_right_key_opens_a_store() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    let one = store(&folder);
    wait(add(&one, new("slack", "alice", "t")));
    let token_key = one.ring.token_key();
    drop(one);
    let before = fs::read(&path).unwrap();
    let text = fs::read_to_string(folder.path().join("key")).unwrap();
    let other = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    assert_eq!(refused(&path, KeySource::Text(Secret::new(other.to_owned()))), "store.wrong-key");
    assert_eq!(fs::read(&path).unwrap(), before, "nothing was written");
    assert_eq!(refused(&path, KeySource::Text(Secret::new("hello".to_owned()))), "store.key");
    let right = open_at(&path, KeySource::Text(Secret::new(text))).unwrap();
    assert_eq!(right.ring.token_key(), token_key);
    drop(right);
    let moved = folder.path().join("elsewhere");
    fs::rename(folder.path().join("key"), &moved).unwrap();
    assert_eq!(refused(&path, KeySource::Beside), "store.key");
    assert!(!folder.path().join("key").exists(), "no second key for sealed rows");
    let file = || KeySource::File(moved.clone());
    let found = open_at(&path, file()).unwrap();
    assert!(is(&wait(open(&found, &key("slack", "alice"))), "t"));
    drop(found);
    fs::write(&moved, "x".repeat(5000)).unwrap();
    assert_eq!(refused(&path, file()), "store.key");
    let missing = KeySource::File(folder.path().join("none"));
    assert_eq!(refused(&folder.path().join("new.db"), missing), "store.key");
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
fn rows_that_were_moved_do_not_open() {
    let folder = folder();
    let one = store(&folder);
    wait(add(&one, new("slack", "alice", "t")));
    wait(add(&one, new("slack", "bob", "t")));
    let raw = Database::open(folder.path().join("engine.db")).unwrap();
    let bob = "account = (SELECT number FROM accounts WHERE id = 'bob')";
    for change in [
        // Whoever moves a row on purpose moves its checksum as well.
        format!(
            "UPDATE secrets SET (sealed, checksum) = (SELECT sealed, checksum FROM secrets WHERE NOT {bob}) WHERE {bob}"
        ),
        format!("UPDATE secrets SET sealed = x'' WHERE {bob}"),
        format!("DELETE FROM secrets WHERE {bob}"),
    ] {
        raw.execute(&change, []).unwrap();
        let opened = wait(one.secrets.open(&key("slack", "bob")));
        assert!(matches!(opened, Err(Error::Tampered { .. })), "{change}");
        let shown = wait(one.accounts.get(&key("slack", "bob"))).unwrap().unwrap();
        assert_eq!(shown.status.as_str(), "damaged", "{change}");
        assert!(is(&wait(open(&one, &key("slack", "alice"))), "t"));
    }
}

#[test]
fn a_lost_key_harms_only_what_it_sealed() {
    let folder = folder();
    let one = store(&folder);
    wait(add(&one, new("slack", "old", "t1")));
    drop(one);
    let file = folder.path().join("key");
    let old = fs::read_to_string(&file).unwrap();
    // A rotation that stopped before anything was sealed again, and then the old key was lost.
    let one = store(&folder);
    assert!(wait(one.sealing.advance(true)).unwrap());
    wait(add(&one, new("slack", "new", "t2")));
    drop(one);
    let both = fs::read_to_string(&file).unwrap();
    fs::write(&file, both.replace(old.trim(), "")).unwrap();
    let one = store(&folder);
    let page = wait(one.accounts.page(AccountQuery { limit: 9, ..AccountQuery::default() }));
    let status: Vec<_> = page
        .unwrap()
        .accounts
        .iter()
        .map(|one| format!("{} {}", one.id, one.status.as_str()))
        .collect();
    assert_eq!(status, ["new active", "old damaged"]);
    assert!(is(&wait(open(&one, &key("slack", "new"))), "t2"));
    let rotated = wait(rotation::rotate(&one)).unwrap();
    assert!(rotated.made && rotated.resealed == 1, "{rotated:?}");
    assert!(wait(rotation::forget(&one)).unwrap().removed == 1);
    assert!(is(&wait(open(&one, &key("slack", "new"))), "t2"));
    fs::write(&file, format!("{}{old}", fs::read_to_string(&file).unwrap())).unwrap();
    drop(one);
    assert!(is(&wait(open(&store(&folder), &key("slack", "old"))), "t1"), "found again");
}

#[test]
fn who_cannot_seal_gets_no_lease() {
    let folder = folder();
    let one = store(&folder);
    wait(add(&one, new("slack", "alice", "t")));
    let file = folder.path().join("key");
    let old = fs::read_to_string(&file).unwrap();
    // Another process has begun a rotation, with a key that this one cannot find.
    assert!(wait(store(&folder).sealing.advance(true)).unwrap());
    let both = fs::read_to_string(&file).unwrap();
    fs::write(&file, old).unwrap();
    let key = key("slack", "alice");
    let ask = LeaseAsk {
        key: key.clone(),
        generation: 1,
        holder: "one".to_owned(),
        term: Duration::from_mins(1),
    };
    assert_eq!(wait(one.secrets.lease(ask.clone())).unwrap_err().code(), "store.wrong-key");
    fs::write(&file, both).unwrap();
    assert!(matches!(wait(one.secrets.lease(ask)), Ok(LeaseAnswer::Granted(_))));
}

#[test]
fn files_that_are_no_store_are_refused_untouched() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    fs::write(&path, "this is a text that is long enough to be taken for a header".repeat(9))
        .unwrap();
    assert_eq!(refused(&path, KeySource::Beside), "store.corrupt");
    fs::remove_file(&path).unwrap();
    let foreign = Database::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(foreign);
    let before = fs::read(&path).unwrap();
    assert_eq!(refused(&path, KeySource::Beside), "store.corrupt");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!folder.path().join("key").exists());
    fs::remove_file(&path).unwrap();
    drop(store(&folder));
    let raw = Database::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert_eq!(refused(&path, KeySource::Beside), "store.newer");
    let in_the_way = folder.path().join("folder");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(refused(&in_the_way, KeySource::Beside), "store.unusable");
    assert_eq!(refused(&path.join("below"), KeySource::Beside), "store.unusable");
}

#[test]
fn a_damaged_store_is_an_error_and_no_panic() {
    let folder = folder();
    let path = folder.path().join("engine.db");
    let one = store(&folder);
    let many = (0..200).map(|number| new("slack", &format!("c{number}"), "t")).collect();
    wait(one.accounts.add_many(many)).unwrap();
    drop(one);
    let whole = fs::read(&path).unwrap();
    for (name, bytes) in [
        ("cut in the middle", whole[..whole.len() / 2].to_vec()),
        ("cut in the head", whole[..50].to_vec()),
        ("overwritten", [&whole[..4096], &vec![0xa5; whole.len() - 4096]].concat()),
    ] {
        fs::write(&path, bytes).unwrap();
        let query = AccountQuery { limit: 1000, ..AccountQuery::default() };
        let found = open_at(&path, KeySource::Beside)
            .and_then(|store| wait(store.accounts.page(query)).map(|_| ()));
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{name}: {found:?}");
    }
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
    let before = crate::model::time::Timestamp(100);
    assert_eq!(wait(one.runs.prune(before, 9)).unwrap(), 1, "what still runs stays");
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
                    one.ring.token_key()
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
