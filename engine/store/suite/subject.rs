//! What a case is given, and what it makes.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    clock::Clock,
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        name::EnvironmentName,
        secret::Secret,
        time::Timestamp,
    },
    store::{
        handle::Store, memory::Memory, ports::accounts::NewAccount, sqlite::Opening, sqlite::Sqlite,
    },
    vault::KeySource,
};

/// A clock that stands until it is moved.
#[derive(Default)]
pub struct Still(Mutex<Duration>);

impl Still {
    /// Moves it.
    pub fn pass(&self, span: Duration) {
        *self.0.lock().unwrap() += span;
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.pass(span);
        Box::pin(tokio::task::yield_now())
    }
}

/// A store, and the hands that a test has on it.
pub struct Subject {
    /// All its ports.
    pub store: Store,
    /// Its time.
    pub clock: Arc<Still>,
    /// Lets an account be as if its row were damaged on disk.
    pub damage: Box<dyn Fn(&AccountKey)>,
    _folder: Option<tempfile::TempDir>,
}

/// An empty one in memory.
pub fn memory() -> Subject {
    let clock = Arc::new(Still::default());
    let memory = Memory::new(Arc::<Still>::clone(&clock));
    let same = memory.clone();
    let damage = Box::new(move |key: &AccountKey| same.damage(key));
    Subject { store: memory.into_store().unwrap(), clock, damage, _folder: None }
}

/// An empty one in a file.
pub async fn sqlite() -> Subject {
    let clock = Arc::new(Still::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.db");
    let opening = Opening {
        path: path.clone(),
        key: KeySource::Beside,
        environment: EnvironmentName::usual(),
        clock: Arc::<Still>::clone(&clock),
    };
    let store = Sqlite::open(opening).await.unwrap();
    let damage = Box::new(move |key: &AccountKey| {
        let raw = rusqlite::Connection::open(&path).unwrap();
        raw.busy_timeout(Duration::from_secs(5)).unwrap();
        let sql = "UPDATE secrets SET sealed = CAST(substr(sealed, 1, length(sealed) - 1)
                || CASE substr(sealed, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)
            WHERE account = (SELECT number FROM accounts WHERE integration = ?1 AND id = ?2)";
        assert_eq!(raw.execute(sql, (&key.integration, &key.id)).unwrap(), 1);
    });
    Subject { store, clock, damage, _folder: Some(folder) }
}

/// Which account.
pub fn key(integration: &str, id: &str) -> AccountKey {
    AccountKey::parse(integration, id).unwrap()
}

/// Credentials with one token.
pub fn credentials(token: &str) -> Credentials {
    let fields = [("access_token".to_owned(), Secret::new(token.to_owned()))];
    let raw = Some(Secret::new(format!("{{\"t\": \"{token}\"}}")));
    Credentials {
        fields: fields.into(),
        expires_at: Some(Timestamp(9)),
        raw,
        ..Credentials::default()
    }
}

/// An account to be stored.
pub fn new(integration: &str, id: &str, token: &str) -> NewAccount {
    let incarnation = format!("{integration}/{id}/{}", token.len());
    let account = Account::new(key(integration, id), incarnation, Timestamp(1));
    NewAccount { connection: Connection::new(account, credentials(token)), replace: false }
}

/// Stores one.
pub async fn add(store: &Store, new: NewAccount) -> Account {
    store.accounts.add_many(vec![new]).await.unwrap().pop().unwrap().unwrap()
}

/// Opens one.
pub async fn open(store: &Store, key: &AccountKey) -> Connection {
    store.secrets.open(key).await.unwrap().unwrap()
}

/// Whether its token is this.
pub fn is(connection: &Connection, text: &str) -> bool {
    connection.credential("access_token") == Some(&Secret::new(text.to_owned()))
}
