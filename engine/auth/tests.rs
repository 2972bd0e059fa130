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
        http::{Authorized, Headers, Response},
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
            let headers: Headers = [("content-type", "application/json")].into_iter().collect();
            Ok(Response { status, headers, body: body.to_string().into() })
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
        Box::pin(async move { Err(Error::Unusable { path: text(), reason: text(), hint: text() }) })
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
    assert!(StoredAccount::new(&scene.keeper, &scene.integration, &scene.stored().await).is_err());
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
    let RefreshOutcome::Stored(found) = scene.refresh(&connection, false).await else { panic!() };
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
    assert_eq!((stored.status, stored.failures), (AccountStatus::Active, 0), "not its to judge");
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
