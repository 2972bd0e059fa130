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
        permission,
        refresh::{self, RefreshOutcome, Stale, Unsaved, World},
    },
    model::{
        account::{AccountKey, AccountStatus, Connection},
        blueprint::Integration,
        failure::{Code, Failure},
        time::Timestamp,
    },
    store::{Basis, Error, Verdict},
};

/// A token is refreshed this long before it ends, at most …
const MARGIN: Duration = Duration::from_mins(5);
/// … and never earlier than after four fifths of its life.
const MARGIN_SHARE: u32 = 5;
/// Between tries to store tokens that the disk would not take: doubled from the first to the
/// second, within which their lease lasts.
const SAVE_AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(30)];
/// So long a process that ends offers tokens to the disk, …
const LAST_OFFERS: Duration = Duration::from_secs(30);
/// … this far apart.
const LAST_OFFER_AGAIN: Duration = Duration::from_secs(1);
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
            if left == 0 {
                return;
            }
            if self.world.clock.boot() >= end {
                tracing::error!(connections = left, "new tokens could not be stored and are lost");
                return;
            }
            self.world.clock.sleep(LAST_OFFER_AGAIN).await;
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
            let same = account.incarnation == stale.incarnation;
            match offered {
                Ok(true) | Err(_) if same && secrets.generation > stale.generation => {
                    return Ok(unsaved.connection.clone());
                }
                // What is stored was spent for them.
                Err(error) if same => return Err(unstored(stale, &error)),
                // Overtaken, of another account, or stored and to be renewed.
                Ok(_) | Err(_) => {}
            }
        }
        match refresh::once(&self.world, integration, stale).await {
            RefreshOutcome::Stored(connection) => Ok(*connection),
            RefreshOutcome::Unsaved(unsaved, error) => {
                tracing::error!(%error, connection = stale.key.id.as_str(), "the new token could not be stored; it is kept in memory and tried again");
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
        let mut held = lock(&refreshes.unsaved);
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, unsaved)) {
            *held = None;
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
                    .is_some_and(|held| Arc::ptr_eq(held, &unsaved));
                if !waits || keeper.offer(&refreshes, &unsaved).await.is_ok() {
                    return;
                }
                span = (span * 2).min(SAVE_AGAIN[1]);
            }
        });
        let mut savers = lock(&self.savers);
        savers.retain(|saver| !saver.is_finished());
        savers.push(saver);
    }
}

fn unstored(stale: &Stale, error: &Error) -> Failure {
    let message = format!(
        "the last token of {} is not stored yet, so that none is asked for: {error}",
        stale.key
    );
    Failure::new(Code::Internal, message)
        .with_hint("make the store writable; the token is kept in memory until then")
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
            return Err(permission::unauthorized(connection, reason));
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
                tracing::warn!(%error, connection = id.as_str(), "the connection could not be marked");
            }
        })
    }
}

/// A lock whose holder panicked is still a lock: the data behind it is replaced whole, always.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    //! Refreshes, against a store in memory, a clock that stands and a scripted endpoint.

    use std::{
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use serde_json::{Value, json};

    use crate::{
        auth::{
            CredentialSource, Keeper, StoredAccount, World,
            refresh::{self, RefreshOutcome, Stale},
        },
        catalog::{Catalog, Environment},
        clock::Clock,
        model::{
            account::{AccountKey, AccountStatus, Connection},
            blueprint::Integration,
            failure::Code,
            http::{Authorized, CONTENT_TYPE, HeaderMap, HeaderValue, Response},
            secret::Secret,
            time::Timestamp,
        },
        store::{
            Basis, Error, LeaseAnswer, LeaseAsk, LeaseHeld, NewAccount, NewTokens, Secrets,
            StoreFuture, Verdict,
            suite::{self, Still, Subject},
        },
        wire::{self, Exchange, Wire},
    };

    /// What the token endpoint does with the request of a number.
    type Endpoint = Box<dyn Fn(usize) -> Result<(u16, Value), wire::Error> + Send + Sync>;

    struct Vendor {
        asked: AtomicUsize,
        answer: Endpoint,
    }

    impl Wire for Vendor {
        fn send<'a>(&'a self, _request: &'a Authorized) -> Exchange<'a> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            Box::pin(async move {
                tokio::task::yield_now().await;
                let (status, body) = (self.answer)(number)?;
                let kind = HeaderValue::from_static("application/json");
                let headers: HeaderMap = [(CONTENT_TYPE, kind)].into_iter().collect();
                let body = body.to_string().into();
                Ok(wire::Answer::whole(Response { status, headers, body }))
            })
        }
    }

    /// A disk that takes no tokens for a while.
    struct Full {
        secrets: Arc<dyn Secrets>,
        refusals: AtomicUsize,
    }

    impl Secrets for Full {
        fn open<'a>(&'a self, key: &'a AccountKey) -> StoreFuture<'a, Option<Connection>> {
            self.secrets.open(key)
        }

        fn lease(&self, ask: LeaseAsk) -> StoreFuture<'_, LeaseAnswer> {
            self.secrets.lease(ask)
        }

        fn renew<'a>(&'a self, held: &'a LeaseHeld, term: Duration) -> StoreFuture<'a, bool> {
            self.secrets.renew(held, term)
        }

        fn release<'a>(&'a self, held: &'a LeaseHeld) -> StoreFuture<'a, ()> {
            self.secrets.release(held)
        }

        fn keep(&self, tokens: NewTokens) -> StoreFuture<'_, bool> {
            let left = self.refusals.load(Ordering::SeqCst);
            if left == 0 {
                return self.secrets.keep(tokens);
            }
            self.refusals.store(left - 1, Ordering::SeqCst);
            let text = String::new;
            Box::pin(
                async move { Err(Error::Unusable { path: text(), reason: text(), hint: text() }) },
            )
        }

        fn verdict(&self, verdict: Verdict) -> StoreFuture<'_, bool> {
            self.secrets.verdict(verdict)
        }

        fn replace(&self, connection: Connection) -> StoreFuture<'_, bool> {
            self.secrets.replace(connection)
        }
    }

    struct Scene {
        subject: Subject,
        vendor: Arc<Vendor>,
        integration: Arc<Integration>,
        keeper: Arc<Keeper>,
        full: Arc<Full>,
    }

    impl Scene {
        fn new(
            answer: impl Fn(usize) -> Result<(u16, Value), wire::Error> + Send + Sync + 'static,
        ) -> Self {
            let subject = suite::memory();
            let vendor = Arc::new(Vendor { asked: AtomicUsize::new(0), answer: Box::new(answer) });
            let catalog = Catalog::open(None, Environment::new([]));
            let loaded = catalog.snapshot().integration("hubspot").unwrap();
            let mut integration = (*loaded.shape().unwrap()).clone();
            integration.oauth_client_id = Some("id".to_owned());
            let secrets = Arc::clone(&subject.store.secrets);
            let full = Arc::new(Full { secrets, refusals: AtomicUsize::new(0) });
            let world = world(&subject, &vendor, &full);
            let keeper = Arc::new(Keeper::new(world));
            Self { subject, vendor, integration: Arc::new(integration), keeper, full }
        }

        /// Stores a connection whose token is over.
        async fn connect(&self) -> Connection {
            let mut new = suite::new("hubspot", "default", "access-1");
            let fields = &mut new.connection.secrets.credentials.fields;
            fields.insert("refresh_token".to_owned(), Secret::new("refresh-1".to_owned()));
            suite::add(&self.subject.store, NewAccount { replace: true, ..new }).await;
            self.stored().await
        }

        async fn stored(&self) -> Connection {
            suite::open(&self.subject.store, &suite::key("hubspot", "default")).await
        }

        fn asked(&self) -> usize {
            self.vendor.asked.load(Ordering::SeqCst)
        }

        async fn refresh(&self, from: &Connection, forced: bool) -> RefreshOutcome {
            let world = world(&self.subject, &self.vendor, &self.full);
            refresh::once(&world, &self.integration, &stale(from, forced)).await
        }
    }

    fn world(subject: &Subject, vendor: &Arc<Vendor>, full: &Arc<Full>) -> World {
        World {
            secrets: Arc::<Full>::clone(full),
            wire: Arc::<Vendor>::clone(vendor),
            clock: Arc::<Still>::clone(&subject.clock),
            holder: "me".to_owned(),
        }
    }

    fn stale(from: &Connection, forced: bool) -> Stale {
        let Basis { key, incarnation, generation, .. } = Basis::of(from);
        Stale { key, incarnation, generation, forced }
    }

    fn tokens(number: usize) -> (u16, Value) {
        let body = json!({"access_token": format!("access-{}", number + 1), "refresh_token": format!("refresh-{}", number + 1), "expires_in": 3600});
        (200, body)
    }

    fn failed(outcome: RefreshOutcome) -> crate::model::failure::Failure {
        match outcome {
            RefreshOutcome::Failed(failure) => failure,
            RefreshOutcome::Stored(_) | RefreshOutcome::Unsaved(..) => panic!("it went well"),
        }
    }

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
    async fn an_old_token_set_is_not_refreshed_again() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let old = scene.connect().await;
        assert!(matches!(scene.refresh(&old, true).await, RefreshOutcome::Stored(_)));
        let RefreshOutcome::Stored(found) = scene.refresh(&old, true).await else { panic!() };
        assert!(suite::is(&found, "access-2"));
        assert_eq!(scene.asked(), 1);
    }

    #[tokio::test]
    async fn a_dead_grant_is_marked_and_not_asked_about_again() {
        let scene = Scene::new(|_| Ok((400, json!({"error": "invalid_grant"}))));
        let connection = scene.connect().await;
        let failure = failed(scene.refresh(&connection, false).await);
        assert_eq!(failure.code, Code::Unauthorized);
        assert_eq!(scene.stored().await.account.status, AccountStatus::NeedsAuthorization);
        failed(scene.refresh(&connection, true).await);
        assert_eq!(scene.asked(), 1);
        assert!(
            StoredAccount::new(&scene.keeper, &scene.integration, &scene.stored().await).is_err()
        );
    }

    #[tokio::test]
    async fn a_pause_holds_for_all_but_those_who_insist_and_never_for_long() {
        let scene = Scene::new(|_| Ok((503, json!({}))));
        let connection = scene.connect().await;
        let first = failed(scene.refresh(&connection, false).await).retry_at.unwrap();
        assert_eq!(first, scene.subject.clock.now().plus(Duration::from_secs(30)));
        let second = failed(scene.refresh(&connection, false).await);
        assert_eq!((second.retry_at, scene.asked()), (Some(first), 2), "each try is repeated once");
        let doubled = failed(scene.refresh(&connection, true).await).retry_at.unwrap();
        let minute = scene.subject.clock.now().plus(Duration::from_mins(1));
        assert_eq!((doubled, scene.asked()), (minute, 4));
        scene.subject.clock.pass(Duration::from_mins(2));
        failed(scene.refresh(&connection, false).await);
        assert_eq!(scene.asked(), 6, "it is over");
        // Written by a clock that was years ahead.
        let basis = Basis::of(&scene.stored().await);
        let retry_at = Some(Timestamp(scene.subject.clock.now().0 * 2));
        let verdict = Verdict { basis, reason: "x".to_owned(), retry_at };
        assert!(scene.subject.store.secrets.verdict(verdict).await.unwrap());
        failed(scene.refresh(&connection, false).await);
        assert_eq!(scene.asked(), 8);
    }

    #[tokio::test]
    async fn a_holder_that_was_stopped_too_long_loses_no_token_and_sends_none() {
        // The vendor rotates, and the answer takes longer than the lease.
        let clock = Arc::new(Mutex::new(None::<Arc<Still>>));
        let stops = Arc::clone(&clock);
        let scene = Scene::new(move |number| {
            stops.lock().unwrap().as_ref().unwrap().pass(Duration::from_mins(5));
            Ok(tokens(number))
        });
        *clock.lock().unwrap() = Some(Arc::clone(&scene.subject.clock));
        let connection = scene.connect().await;
        let RefreshOutcome::Stored(found) = scene.refresh(&connection, false).await else {
            panic!()
        };
        assert!(suite::is(&found, "access-2"));

        // The answer is lost, and meanwhile another takes the lease: no second request.
        let hands = Arc::new(Mutex::new(None::<(Arc<Still>, Arc<dyn Secrets>, LeaseAsk)>));
        let taken = Arc::clone(&hands);
        let scene = Scene::new(move |_| {
            let hands = taken.lock().unwrap();
            let (clock, secrets, ask) = hands.as_ref().unwrap();
            clock.pass(Duration::from_mins(5));
            let lease = futures_util::FutureExt::now_or_never(secrets.lease(ask.clone()));
            assert!(matches!(lease, Some(Ok(LeaseAnswer::Granted(_)))));
            let (host, reason) = ("x".to_owned(), "cut".to_owned());
            Err(wire::Error::Broken { host, reason })
        });
        let connection = scene.connect().await;
        let ask = LeaseAsk {
            key: connection.account.key(),
            generation: connection.secrets.generation,
            holder: "other".to_owned(),
            term: Duration::from_mins(2),
        };
        let secrets = Arc::clone(&scene.subject.store.secrets);
        *hands.lock().unwrap() = Some((Arc::clone(&scene.subject.clock), secrets, ask));
        failed(scene.refresh(&connection, false).await);
        assert_eq!(scene.asked(), 1);
        let stored = scene.stored().await.account;
        assert_eq!(
            (stored.status, stored.failures),
            (AccountStatus::Active, 0),
            "not its to judge"
        );
    }

    #[tokio::test]
    async fn tokens_that_the_disk_refuses_are_used_and_stored_later() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        scene.full.refusals.store(4, Ordering::SeqCst);
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
        scene.full.refusals.store(40, Ordering::SeqCst);
        assert!(scene.keeper.renew(&scene.integration, &connection).await.is_ok());
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(scene.full.refusals.load(Ordering::SeqCst), 0);
        assert!(suite::is(&scene.stored().await, "access-2"));
    }

    #[tokio::test]
    async fn a_process_that_ends_offers_its_tokens_for_a_while() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        for (refusals, stored) in [(1000, false), (20, true)] {
            scene.full.refusals.store(refusals, Ordering::SeqCst);
            assert!(scene.keeper.renew(&scene.integration, &connection).await.is_ok());
            let begin = scene.subject.clock.elapsed();
            scene.keeper.drain().await;
            assert!(scene.subject.clock.elapsed() < begin + Duration::from_secs(32));
            assert_eq!(suite::is(&scene.stored().await, "access-2"), stored);
        }
    }

    #[tokio::test]
    async fn nobody_spends_a_token_again_whose_successor_is_not_stored() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        scene.full.refusals.store(usize::MAX, Ordering::SeqCst);
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
            generation: connection.secrets.generation,
            holder: "other".to_owned(),
            term: Duration::from_mins(2),
        };
        let lease = scene.full.lease(ask).await.unwrap();
        assert!(matches!(lease, LeaseAnswer::Taken));
        assert_eq!(scene.asked(), 1);
        // Once they are stored, it goes on from them.
        scene.full.refusals.store(0, Ordering::SeqCst);
        let next = scene.keeper.renew(&scene.integration, &renewed).await.unwrap();
        assert!(suite::is(&next, "access-3"));
        assert!(suite::is(&scene.stored().await, "access-3"));
    }

    #[tokio::test]
    async fn unsaved_tokens_never_go_to_another_account_of_the_same_name() {
        for refusals in [3, usize::MAX] {
            let scene = Scene::new(|number| Ok(tokens(number)));
            let connection = scene.connect().await;
            scene.full.refusals.store(refusals, Ordering::SeqCst);
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

    #[tokio::test]
    async fn an_answer_without_tokens_is_not_asked_for_again() {
        for (status, asked) in [(200, 1), (503, 2)] {
            let scene = Scene::new(move |_| Ok((status, json!({"hello": 1}))));
            let connection = scene.connect().await;
            failed(scene.refresh(&connection, false).await);
            assert_eq!(scene.asked(), asked, "{status}");
        }
    }

    #[tokio::test]
    async fn an_account_of_the_same_name_is_left_alone() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        let key = connection.account.key();
        scene.subject.store.accounts.retire(&key, false).await.unwrap();
        let mut other = suite::new("hubspot", "default", "theirs");
        other.connection.account.incarnation = "another".to_owned();
        suite::add(&scene.subject.store, other).await;
        let failure = failed(scene.refresh(&connection, true).await);
        assert!(failure.message.contains("does not exist any more"), "{}", failure.message);
        assert_eq!(scene.asked(), 0);
    }

    #[tokio::test]
    async fn a_refusal_counts_only_for_the_tokens_that_were_refused() {
        let scene = Scene::new(|number| Ok(tokens(number)));
        let connection = scene.connect().await;
        let account = StoredAccount::new(&scene.keeper, &scene.integration, &connection).unwrap();
        assert!(matches!(scene.refresh(&connection, true).await, RefreshOutcome::Stored(_)));
        account.reject("no").await;
        assert_eq!(scene.stored().await.account.status, AccountStatus::Active);
        let newer =
            StoredAccount::new(&scene.keeper, &scene.integration, &scene.stored().await).unwrap();
        newer.reject("no").await;
        assert_eq!(scene.stored().await.account.status, AccountStatus::NeedsAuthorization);
    }
}
