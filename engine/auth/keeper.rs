//! `Keeper`: hands out fresh credentials, and refreshes once even when ten runs ask.
//!
//! A refresh runs in a task of its own, owned by the process: a caller that goes away does not
//! take the new refresh token with it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Gate, task::JoinHandle};

use crate::{
    auth::{
        held::{CredentialSource, Done, Held, Holding},
        refresh::{self, RefreshOutcome, Stale, World},
    },
    model::{
        account::{AccountKey, AccountStatus, Connection},
        blueprint::Integration,
        failure::{Code, Failure},
        time::Timestamp,
    },
    store::{Basis, NewTokens, Verdict},
};

/// A token is refreshed this long before it ends, at most …
const MARGIN: Duration = Duration::from_mins(5);
/// … and never earlier than after four fifths of its life.
const MARGIN_SHARE: u32 = 5;
/// Between tries to store tokens that the disk would not take.
const SAVE_AGAIN: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];
/// So many accounts are remembered; beyond that those that nobody refreshes are forgotten.
const REMEMBERED: usize = 4096;

/// One per process.
pub struct Keeper {
    world: World,
    accounts: Mutex<HashMap<AccountKey, Arc<Refreshes>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What the process knows of one account's refreshes.
#[derive(Default)]
struct Refreshes {
    /// One at a time.
    gate: Gate<()>,
    /// Tokens that are not in the store yet.
    unsaved: Mutex<Option<Unsaved>>,
}

#[derive(Clone)]
struct Unsaved {
    connection: Box<Connection>,
    tokens: Box<NewTokens>,
}

impl Keeper {
    /// A keeper over this world.
    pub fn new(world: World) -> Self {
        Self { world, accounts: Mutex::default(), tasks: Mutex::default() }
    }

    /// Waits for the refreshes under way.
    pub async fn drain(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a refresh ended abnormally");
            }
        }
    }

    /// A fresh token because somebody asked for it.
    pub async fn renew(
        self: &Arc<Self>,
        integration: &Arc<Integration>,
        connection: &Connection,
    ) -> Result<Connection, Failure> {
        let Basis { key, incarnation, generation, .. } = Basis::of(connection);
        self.refresh(integration, Stale { key, incarnation, generation, forced: true }).await
    }

    fn refreshes(&self, key: &AccountKey) -> Arc<Refreshes> {
        let mut accounts = lock(&self.accounts);
        if accounts.len() > REMEMBERED {
            accounts.retain(|_, one| Arc::strong_count(one) > 1 || lock(&one.unsaved).is_some());
        }
        Arc::clone(accounts.entry(key.clone()).or_default())
    }

    /// Refreshes in a task of its own and waits for it.
    async fn refresh(
        self: &Arc<Self>,
        integration: &Arc<Integration>,
        stale: Stale,
    ) -> Result<Connection, Failure> {
        let (answer, receive) = tokio::sync::oneshot::channel();
        let (keeper, integration) = (Arc::clone(self), Arc::clone(integration));
        let task = tokio::spawn(async move {
            let refreshes = keeper.refreshes(&stale.key);
            let _turn = refreshes.gate.lock().await;
            let result = keeper.take_turn(&refreshes, &integration, &stale).await;
            // The caller may be gone; the tokens are where they belong all the same.
            drop(answer.send(result));
            keeper.save_again(&refreshes).await;
        });
        {
            let mut tasks = lock(&self.tasks);
            tasks.retain(|task| !task.is_finished());
            tasks.push(task);
        }
        let lost = || Failure::new(Code::Internal, "the refresh ended abnormally");
        receive.await.unwrap_or_else(|_| Err(lost()))
    }

    /// One turn at the gate.
    async fn take_turn(
        &self,
        refreshes: &Refreshes,
        integration: &Integration,
        stale: &Stale,
    ) -> Result<Connection, Failure> {
        // Tokens that wait for the disk are used as they are, and offered to it again.
        let unsaved = lock(&refreshes.unsaved).clone();
        if let Some(unsaved) = unsaved {
            self.save(refreshes, &unsaved).await;
            if unsaved.connection.secrets.generation > stale.generation {
                return Ok(*unsaved.connection);
            }
        }
        match refresh::once(&self.world, integration, stale).await {
            RefreshOutcome::Stored(connection) => Ok(*connection),
            RefreshOutcome::Unsaved(connection, tokens, error) => {
                tracing::error!(%error, connection = stale.key.id, "the new token could not be stored; it is kept in memory and tried again");
                let unsaved = Unsaved { connection: connection.clone(), tokens };
                *lock(&refreshes.unsaved) = Some(unsaved);
                Ok(*connection)
            }
            RefreshOutcome::Failed(failure) => Err(failure),
        }
    }

    /// Offers tokens to the store. Afterwards they are there, or are not ours to keep any more.
    async fn save(&self, refreshes: &Refreshes, unsaved: &Unsaved) {
        if self.world.secrets.keep((*unsaved.tokens).clone()).await.is_ok() {
            *lock(&refreshes.unsaved) = None;
        }
    }

    async fn save_again(&self, refreshes: &Refreshes) {
        for span in SAVE_AGAIN {
            let unsaved = lock(&refreshes.unsaved).clone();
            let Some(unsaved) = unsaved else { return };
            self.world.clock.sleep(span).await;
            self.save(refreshes, &unsaved).await;
        }
    }
}

/// One connection of the store, as a run uses it.
pub struct StoredAccount {
    keeper: Arc<Keeper>,
    integration: Arc<Integration>,
    now: Mutex<Current>,
}

struct Current {
    held: Arc<Held>,
    basis: Basis,
    /// When to refresh ahead of time.
    due: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

impl StoredAccount {
    /// Credentials of a connection as it was just read. Fails if a person has to mend it first.
    pub fn new(
        keeper: &Arc<Keeper>,
        integration: &Arc<Integration>,
        connection: &Connection,
    ) -> Result<Self, Failure> {
        let account = &connection.account;
        if account.status != AccountStatus::Active {
            let reason = account.status_reason.as_deref().unwrap_or("it was revoked");
            return Err(refresh::unauthorized(connection, reason));
        }
        Ok(Self {
            keeper: Arc::clone(keeper),
            integration: Arc::clone(integration),
            now: Mutex::new(Current::new(connection, integration)),
        })
    }

    async fn newer(&self, stale: Basis) -> Result<Arc<Held>, Failure> {
        let Basis { key, incarnation, generation, .. } = stale;
        let stale = Stale { key, incarnation, generation, forced: false };
        let connection = self.keeper.refresh(&self.integration, stale).await?;
        let current = Current::new(&connection, &self.integration);
        let held = Arc::clone(&current.held);
        *lock(&self.now) = current;
        Ok(held)
    }

    fn can_refresh(&self) -> bool {
        self.integration.blueprint.auth.mode.can_refresh()
    }
}

impl Current {
    fn new(connection: &Connection, integration: &Integration) -> Self {
        let Connection { account, secrets } = connection;
        let issued = account.last_refreshed_at.unwrap_or(account.created_at);
        let has_token = connection.credential("access_token").is_some_and(|t| !t.is_empty());
        let mode = &integration.blueprint.auth.mode;
        // What the user entered yields the first token too.
        let first = (mode.obtains_by_itself() && !has_token).then_some(Timestamp(i64::MIN));
        let expires_at = secrets.credentials.expires_at;
        let ahead = expires_at.map(|end| {
            let margin = MARGIN.min(end.since(issued) / MARGIN_SHARE);
            Timestamp(end.0 - i64::try_from(margin.as_millis()).unwrap_or(0))
        });
        Self {
            held: Arc::new(Held::new(secrets.generation, &secrets.credentials, integration)),
            basis: Basis::of(connection),
            due: first.or(ahead),
            expires_at,
        }
    }
}

impl CredentialSource for StoredAccount {
    fn current(&self) -> Holding<'_> {
        let time = self.keeper.world.clock.now();
        let now = lock(&self.now);
        let held = Arc::clone(&now.held);
        if !self.can_refresh() || now.due.is_none_or(|due| time < due) {
            return Box::pin(std::future::ready(Ok(held)));
        }
        let stale = now.basis.clone();
        let still_good = now.expires_at.is_some_and(|end| time < end);
        drop(now);
        Box::pin(async move {
            match self.newer(stale).await {
                Ok(held) => Ok(held),
                // Ahead of time only: the old token serves until it ends.
                Err(_) if still_good => Ok(held),
                Err(failure) => Err(failure),
            }
        })
    }

    fn renew<'a>(&'a self, stale: &'a Held) -> Holding<'a> {
        Box::pin(async move {
            let (held, basis) = {
                let now = lock(&self.now);
                (Arc::clone(&now.held), now.basis.clone())
            };
            // A sibling request of this run has renewed it already.
            if held.generation != stale.generation {
                return Ok(held);
            }
            if !self.can_refresh() {
                return Err(Failure::new(Code::Unauthorized, "the API refuses these credentials"));
            }
            self.newer(basis).await
        })
    }

    fn reject<'a>(&'a self, reason: &'a str) -> Done<'a> {
        Box::pin(async move {
            // A refresh that is under way, or was since, knows better.
            let basis = lock(&self.now).basis.clone();
            let id = basis.key.id.clone();
            let verdict = Verdict { basis, reason: reason.to_owned(), retry_at: None };
            if let Err(error) = self.keeper.world.secrets.verdict(verdict).await {
                tracing::warn!(%error, connection = id, "the connection could not be marked");
            }
        })
    }
}

/// A lock whose holder panicked is still a lock: the data behind it is replaced whole, always.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
