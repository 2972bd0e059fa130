//! `Keeper`: refreshes once even when ten runs ask, and keeps new tokens until they are stored.
//!
//! Work on tokens is done in tasks of the process: a caller that goes away does not take the new
//! refresh token with it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Gate, task::JoinHandle};

use crate::{
    auth::{
        lease::{self, Lease, Leased, Need, World},
        refresh::{self, RefreshOutcome, Stale, Unsaved},
        revoke,
    },
    model::{
        account::{AccountKey, Connection},
        blueprint::Integration,
        failure::{Code, Failure},
    },
    store::{Basis, Error},
};

/// Between tries to store tokens that the disk would not take: doubled from the first to the
/// second, within which their lease lasts. Where that cannot be prolonged either, always the first.
const SAVE_AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(30)];
/// So long a process that ends offers tokens to the disk, …
const LAST_OFFERS: Duration = Duration::from_secs(30);
/// … this far apart.
const LAST_OFFER_AGAIN: Duration = SAVE_AGAIN[0];
/// So many accounts are remembered; beyond that those that nobody refreshes are forgotten.
const REMEMBERED: usize = 4096;

/// One per process.
pub struct Keeper {
    world: World,
    accounts: Mutex<HashMap<AccountKey, Arc<Refreshes>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Those that offer tokens to the store until it takes them.
    savers: Mutex<Vec<JoinHandle<()>>>,
}

/// What the process knows of one account's refreshes.
#[derive(Default)]
struct Refreshes {
    /// One at a time.
    gate: Gate<()>,
    /// Tokens that are not in the store yet.
    unsaved: Mutex<Option<Arc<Unsaved>>>,
}

impl Keeper {
    /// A keeper over this world.
    pub fn new(world: World) -> Self {
        Self {
            world,
            accounts: Mutex::default(),
            tasks: Mutex::default(),
            savers: Mutex::default(),
        }
    }

    /// Accounts whose newest tokens are not in the store.
    pub fn unsaved(&self) -> Vec<AccountKey> {
        let accounts = lock(&self.accounts);
        let unsaved = accounts.iter().filter(|(_, one)| lock(&one.unsaved).is_some());
        let mut keys: Vec<AccountKey> = unsaved.map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    }

    /// Waits for the refreshes under way, and for a while for a store that takes no tokens.
    pub async fn drain(&self) {
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            if task.await.is_err() {
                tracing::error!("a refresh ended abnormally");
            }
        }
        lock(&self.savers).drain(..).for_each(|saver| saver.abort());
        let end = self.world.clock.boot() + LAST_OFFERS;
        loop {
            let accounts: Vec<_> = lock(&self.accounts).values().map(Arc::clone).collect();
            let mut left = 0_usize;
            for refreshes in accounts {
                let unsaved = lock(&refreshes.unsaved).clone();
                let Some(unsaved) = unsaved else { continue };
                left += usize::from(self.offer(&refreshes, &unsaved).await.is_err());
            }
            // Who drained it says what is left, and what to do.
            if left == 0 || self.world.clock.boot() >= end {
                return;
            }
            self.world.clock.sleep(LAST_OFFER_AGAIN).await;
        }
    }

    /// The world that it works in.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// A fresh token because a person asked for it.
    pub async fn renew(
        self: &Arc<Self>,
        integration: &Arc<Integration>,
        connection: &Connection,
    ) -> Result<Connection, Failure> {
        self.refresh(integration, Stale { basis: Basis::of(connection), forced: true }).await
    }

    /// Takes the tokens of an account back, and marks it `revoked`.
    pub async fn revoke(
        self: &Arc<Self>,
        integration: &Arc<Integration>,
        of: Basis,
    ) -> Result<(), Failure> {
        let (keeper, integration) = (Arc::clone(self), Arc::clone(integration));
        self.in_a_task(async move {
            let refreshes = keeper.refreshes(&of.key);
            let _turn = refreshes.gate.lock().await;
            let unsaved = lock(&refreshes.unsaved).clone();
            if let Some(unsaved) = unsaved {
                // What is stored was spent for them: they are what has to be taken back.
                keeper.offer(&refreshes, &unsaved).await.map_err(|error| unstored(&of, &error))?;
            }
            revoke::once(&keeper.world, &integration, &of).await
        })
        .await
    }

    /// The right to the tokens of a connection that is going to be deleted: a refresh under way would
    /// bring tokens that nobody takes back. `None` if somebody else works on them and does not
    /// finish, or if they do not open; an error if the connection is another one by now.
    pub async fn hold(self: &Arc<Self>, of: Basis) -> Result<Option<Arc<Leased>>, Failure> {
        let keeper = Arc::clone(self);
        self.in_a_task(async move {
            let refreshes = keeper.refreshes(&of.key);
            let _turn = refreshes.gate.lock().await;
            let unsaved = lock(&refreshes.unsaved).clone();
            if let Some(unsaved) = unsaved
                && let Err(error) = keeper.offer(&refreshes, &unsaved).await
            {
                tracing::warn!(%error, "the newest tokens of a connection are not stored");
            }
            match lease::lease(&keeper.world, &of, |_| Ok(Need::Lease)).await {
                Ok(Lease::Granted(_, leased)) => Ok(Some(leased)),
                Ok(Lease::NotNeeded(_)) => Ok(None),
                Err(failure) if failure.code == Code::Unauthorized => Err(failure),
                Err(failure) => {
                    tracing::warn!(
                        reason = failure.message,
                        "a connection is deleted all the same"
                    );
                    Ok(None)
                }
            }
        })
        .await
    }

    fn refreshes(&self, key: &AccountKey) -> Arc<Refreshes> {
        let mut accounts = lock(&self.accounts);
        if accounts.len() > REMEMBERED {
            accounts.retain(|_, one| Arc::strong_count(one) > 1 || lock(&one.unsaved).is_some());
        }
        Arc::clone(accounts.entry(key.clone()).or_default())
    }

    /// Refreshes, when it is this account's turn.
    pub async fn refresh(
        self: &Arc<Self>,
        integration: &Arc<Integration>,
        stale: Stale,
    ) -> Result<Connection, Failure> {
        let (keeper, integration) = (Arc::clone(self), Arc::clone(integration));
        self.in_a_task(async move {
            let refreshes = keeper.refreshes(&stale.basis.key);
            let _turn = refreshes.gate.lock().await;
            keeper.take_turn(&refreshes, &integration, &stale).await
        })
        .await
    }

    /// Works in a task of its own and waits for it.
    async fn in_a_task<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, receive) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            // The caller may be gone; the tokens are where they belong all the same.
            drop(answer.send(work.await));
        });
        {
            let mut tasks = lock(&self.tasks);
            tasks.retain(|task| !task.is_finished());
            tasks.push(task);
        }
        let lost = || Failure::new(Code::Internal, "the work on the tokens ended abnormally");
        receive.await.unwrap_or_else(|_| Err(lost()))
    }

    /// One turn at the gate.
    async fn take_turn(
        self: &Arc<Self>,
        refreshes: &Arc<Refreshes>,
        integration: &Integration,
        stale: &Stale,
    ) -> Result<Connection, Failure> {
        // Tokens that wait for the disk are used as they are, and offered to it again.
        let unsaved = lock(&refreshes.unsaved).clone();
        if let Some(unsaved) = unsaved {
            let offered = self.offer(refreshes, &unsaved).await;
            let Connection { account, secrets } = &unsaved.connection;
            // An account of the same id that was made later has other tokens.
            let same = account.incarnation == stale.basis.incarnation;
            match offered {
                Ok(true) | Err(_) if same && secrets.generation > stale.basis.generation => {
                    return Ok(unsaved.connection.clone());
                }
                // What is stored was spent for them.
                Err(error) if same => return Err(unstored(&stale.basis, &error)),
                // Overtaken, of another account, or stored and to be renewed.
                Ok(_) | Err(_) => {}
            }
        }
        match refresh::once(&self.world, integration, stale).await {
            RefreshOutcome::Stored(connection) => Ok(*connection),
            RefreshOutcome::Unsaved(unsaved, error) => {
                tracing::error!(%error, connection = stale.basis.key.id.as_str(), "the new token could not be stored; it is kept in memory and tried again");
                let unsaved = Arc::<Unsaved>::from(unsaved);
                *lock(&refreshes.unsaved) = Some(Arc::clone(&unsaved));
                let connection = unsaved.connection.clone();
                self.save(refreshes, unsaved);
                Ok(connection)
            }
            RefreshOutcome::Failed(failure) => Err(failure),
        }
    }

    /// Offers tokens to the store; whether they were stored. If not, they are overtaken, and not
    /// ours to keep any more. While the store fails, nobody else may refresh.
    async fn offer(&self, refreshes: &Refreshes, unsaved: &Arc<Unsaved>) -> Result<bool, Error> {
        let kept = self.world.secrets.keep(unsaved.tokens.clone()).await;
        if kept.is_err() {
            unsaved.leased.renew().await;
            return kept;
        }
        let mut waiting = lock(&refreshes.unsaved);
        if waiting.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, unsaved)) {
            *waiting = None;
        }
        kept
    }

    /// Offers tokens until the store takes them, while others use them.
    fn save(self: &Arc<Self>, refreshes: &Arc<Refreshes>, unsaved: Arc<Unsaved>) {
        let (keeper, refreshes) = (Arc::clone(self), Arc::clone(refreshes));
        let saver = tokio::spawn(async move {
            let mut span = SAVE_AGAIN[0];
            loop {
                keeper.world.clock.sleep(span).await;
                // A turn at the gate may have stored them.
                let waits = lock(&refreshes.unsaved)
                    .as_ref()
                    .is_some_and(|waiting| Arc::ptr_eq(waiting, &unsaved));
                if !waits || keeper.offer(&refreshes, &unsaved).await.is_ok() {
                    return;
                }
                // A lease that cannot be prolonged ends: then every moment counts.
                let prolonged = unsaved.leased.was_prolonged();
                span = if prolonged { (span * 2).min(SAVE_AGAIN[1]) } else { SAVE_AGAIN[0] };
            }
        });
        let mut savers = lock(&self.savers);
        savers.retain(|saver| !saver.is_finished());
        savers.push(saver);
    }
}

fn unstored(of: &Basis, error: &Error) -> Failure {
    let message = format!(
        "the last token of {} is not stored yet, so that the vendor is asked for nothing: {error}",
        of.key
    );
    Failure::new(Code::Internal, message)
        .with_hint("make the store writable; the token is kept in memory until then")
}

/// A lock whose holder panicked is still a lock: the data behind it is replaced whole, always.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{
        auth::{
            credentials::CredentialSource,
            scene::{Scene, tokens},
            stored::StoredAccount,
        },
        clock::Clock,
        model::secret::Secret,
        store::{Basis, LeaseAnswer, LeaseAsk, Secrets, suite},
    };

    #[tokio::test]
    async fn ten_runs_that_need_a_token_make_one_request() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        let runs: Vec<_> = (0..10)
            .map(|_| StoredAccount::new(&scene.keeper, &scene.integration, &connection).unwrap())
            .collect();
        let held = futures_util::future::join_all(runs.iter().map(CredentialSource::current)).await;
        for held in held {
            assert_eq!(held.unwrap().root()["access_token"], "access-2");
        }
        assert_eq!(scene.asked(), 1);
        let stored = scene.stored().await;
        assert!(suite::is(&stored, "access-2"));
        assert_eq!(stored.account.last_refreshed_at, Some(scene.subject.clock.now()));
    }

    #[tokio::test]
    async fn tokens_that_the_disk_refuses_are_used_and_stored_later() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        scene.refuse(4);
        let account = StoredAccount::new(&scene.keeper, &scene.integration, &connection).unwrap();
        assert_eq!(account.current().await.unwrap().root()["access_token"], "access-2");
        let other = StoredAccount::new(&scene.keeper, &scene.integration, &connection).unwrap();
        assert_eq!(other.current().await.unwrap().root()["access_token"], "access-2");
        scene.keeper.drain().await;
        assert!(suite::is(&scene.stored().await, "access-2"));
        assert_eq!(scene.asked(), 1);
    }

    #[tokio::test]
    async fn tokens_that_the_disk_refuses_are_offered_until_it_takes_them() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        scene.refuse(40);
        assert!(scene.keeper.renew(&scene.integration, &connection).await.is_ok());
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(scene.refusals(), 0);
        assert!(suite::is(&scene.stored().await, "access-2"));
    }

    #[tokio::test]
    async fn a_process_that_ends_offers_its_tokens_for_a_while() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        for (refusals, stored) in [(1000, false), (20, true)] {
            scene.refuse(refusals);
            assert!(scene.keeper.renew(&scene.integration, &connection).await.is_ok());
            let begin = scene.subject.clock.elapsed();
            scene.keeper.drain().await;
            assert!(scene.subject.clock.elapsed() < begin + Duration::from_secs(32));
            assert_eq!(suite::is(&scene.stored().await, "access-2"), stored);
            let unsaved: &[_] = if stored { &[] } else { &[connection.account.key()] };
            assert_eq!(scene.keeper.unsaved(), unsaved);
        }
    }

    #[tokio::test]
    async fn nobody_spends_a_token_again_whose_successor_is_not_stored() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        scene.refuse(usize::MAX);
        let renewed = scene.keeper.renew(&scene.integration, &connection).await.unwrap();
        assert!(suite::is(&renewed, "access-2"));
        // The new one is refused too: the stored refresh token is spent, and the new one is not
        // spent while there is no place for its successor.
        let failure = scene.keeper.renew(&scene.integration, &renewed).await.unwrap_err();
        assert!(failure.message.contains("not stored yet"), "{}", failure.message);
        // Another process waits, however long it takes.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let ask = LeaseAsk {
            key: connection.account.key(),
            incarnation: connection.account.incarnation.clone(),
            generation: connection.secrets.generation,
            holder: "other".to_owned(),
            term: Duration::from_mins(2),
        };
        let lease = scene.full.lease(ask).await.unwrap();
        assert!(matches!(lease, LeaseAnswer::Taken));
        assert_eq!(scene.asked(), 1);
        // Once they are stored, it goes on from them.
        scene.refuse(0);
        let next = scene.keeper.renew(&scene.integration, &renewed).await.unwrap();
        assert!(suite::is(&next, "access-3"));
        assert!(suite::is(&scene.stored().await, "access-3"));
    }

    #[tokio::test]
    async fn nobody_refreshes_what_is_about_to_be_deleted() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        let of = Basis::of(&connection);
        assert!(scene.keeper.hold(of.clone()).await.unwrap().is_some());
        let ask = LeaseAsk {
            key: of.key.clone(),
            incarnation: of.incarnation.clone(),
            generation: of.generation,
            holder: "other".to_owned(),
            term: Duration::from_mins(2),
        };
        assert!(matches!(scene.full.lease(ask).await.unwrap(), LeaseAnswer::Taken));
        let other = Basis { incarnation: "other".to_owned(), ..of };
        assert!(scene.keeper.hold(other).await.is_err(), "made later under the same name");
    }

    #[tokio::test]
    async fn unsaved_tokens_never_go_to_another_account_of_the_same_name() {
        for refusals in [3, usize::MAX] {
            let scene = Scene::new(|number| Ok(tokens(number)));
            let connection = scene.connect().await;
            scene.refuse(refusals);
            assert!(scene.keeper.renew(&scene.integration, &connection).await.is_ok());
            let key = connection.account.key();
            scene.subject.store.accounts.retire(&key, false).await.unwrap();
            let mut other = suite::new("hubspot", "default", "theirs");
            other.connection.account.incarnation = "another".to_owned();
            let fields = &mut other.connection.secrets.credentials.fields;
            fields.insert("refresh_token".to_owned(), Secret::new("their-refresh".to_owned()));
            suite::add(&scene.subject.store, other).await;
            let theirs = scene.stored().await;
            let renewed = scene.keeper.renew(&scene.integration, &theirs).await.unwrap();
            assert!(suite::is(&renewed, "access-3"));
            assert_eq!((renewed.account.incarnation.as_str(), scene.asked()), ("another", 2));
        }
    }
}
