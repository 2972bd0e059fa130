//! The store's goals: `cargo bench --bench store`. Prints what was measured, and fails beyond a goal.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a program to be run by hand"
)]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    clock::SystemClock,
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        name::EnvironmentName,
        secret::Secret,
        time::Timestamp,
    },
    store::{AccountOrder, AccountQuery, NewAccount, Opening, Sqlite, Store, Use},
    vault::KeySource,
};

const MANY: usize = 100_000;

fn main() {
    let mut goals = Vec::new();
    let mut goal = |name: &str, measured: f64, limit: f64, unit: &str| {
        println!("{name:60} {measured:9.2} {unit} (goal {limit} {unit})");
        goals.push(measured <= limit);
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.db");

    goal("longest gap of a 10 ms ticker, file held for 3 s", gap(&path), 50.0, "ms");

    let store = open(&path);
    let start = Instant::now();
    for from in (0..10_000).step_by(1000) {
        let new = (from..from + 1000).map(|number| account("imported", number)).collect();
        wait(store.accounts.add_many(new)).unwrap();
    }
    goal(
        "10,000 connections stored, a thousand at a time",
        start.elapsed().as_secs_f64(),
        2.0,
        "s",
    );
    let few = choose(&store, "few", 10);

    for from in (0..MANY).step_by(1000) {
        let new = (from..from + 1000).map(|number| account("many", number)).collect();
        wait(store.accounts.add_many(new)).unwrap();
    }
    drop(store);
    let store = open(&path);
    let query = AccountQuery { limit: 100, ..AccountQuery::default() };
    wait(store.accounts.page(query.clone())).unwrap();
    let orders = [AccountOrder::Name, AccountOrder::Created, AccountOrder::Updated];
    let slowest = orders.into_iter().map(|order| {
        let start = Instant::now();
        let page = wait(store.accounts.page(AccountQuery { order, ..query.clone() })).unwrap();
        assert_eq!(page.accounts.len(), 100);
        ms(start)
    });
    goal("a page of 100 among 110,000, slowest order", slowest.fold(0.0, f64::max), 10.0, "ms");

    let before = resident();
    let start = Instant::now();
    let (mut query, mut read) = (AccountQuery { limit: 500, ..AccountQuery::default() }, 0);
    loop {
        let page = wait(store.accounts.page(query.clone())).unwrap();
        read += page.accounts.len();
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(read, MANY + 10_012);
    goal("all 110,000 streamed", ms(start), 440.0, "ms");
    goal("memory for it", (resident() - before).max(0.0), 30.0, "MB");

    let many = choose(&store, "many", 0);
    println!("{:60} {few:9.2} µs among 10, {many:.2} µs among {MANY}", "one chosen");
    if goals.contains(&false) {
        std::process::exit(1);
    }
}

/// Microseconds for choosing one; `add` are made first.
fn choose(store: &Store, integration: &str, add: usize) -> f64 {
    if add > 0 {
        let new = (0..add).map(|number| account(integration, number)).collect();
        wait(store.accounts.add_many(new)).unwrap();
    }
    let integration = integration.parse().unwrap();
    let rounds = 2000_u32;
    let start = Instant::now();
    for _ in 0..rounds {
        wait(store.accounts.choose(&integration)).unwrap();
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
}

/// The longest gap between two ticks, in milliseconds, while another connection holds the file.
fn gap(path: &Path) -> f64 {
    let store = open(path);
    wait(store.accounts.add_many(vec![account("one", 0)])).unwrap();
    let holder = rusqlite::Connection::open(path).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        holder.execute_batch("COMMIT").unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let longest = runtime.block_on(async {
        let work = async {
            let key = AccountKey::parse("one", "c000000").unwrap();
            store.accounts.touch(key.clone(), Use::Run);
            store.secrets.open(&key).await.unwrap();
            store.accounts.add_many(vec![account("one", 1)]).await.unwrap();
        };
        let mut work = std::pin::pin!(work);
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        loop {
            tokio::select! {
                () = &mut work => return longest,
                _ = ticks.tick() => {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
            }
        }
    });
    release.join().unwrap();
    longest.as_secs_f64() * 1000.0
}

fn open(path: &Path) -> Store {
    wait(Sqlite::open(Opening {
        path: path.to_owned(),
        key: KeySource::Beside,
        environment: EnvironmentName::usual(),
        clock: Arc::new(SystemClock::new()),
    }))
    .unwrap()
}

fn account(integration: &str, number: usize) -> NewAccount {
    let key = AccountKey::parse(integration, &format!("c{number:06}")).unwrap();
    let mut account = Account::new(key, format!("acc_{number}"), Timestamp(number as i64));
    account.account_name = Some(format!("Account {number}"));
    account.tags.insert("plan".to_owned(), "pro".to_owned());
    let secret = |text: &str| Secret::new(text.repeat(40));
    let fields = [
        ("access_token".to_owned(), secret("0123456789abcdef")),
        ("refresh_token".to_owned(), secret("fedcba9876")),
    ];
    let credentials = Credentials {
        fields: fields.into(),
        expires_at: Some(Timestamp(9)),
        ..Credentials::default()
    };
    NewAccount { connection: Connection::new(account, credentials), replace: false }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// Of this process, in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
