//! A scene for tests of the room: a store in memory, a clock that stands, a scripted endpoint.

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
        keeper::Keeper,
        lease::World,
        refresh::{self, RefreshOutcome, Stale},
    },
    catalog::{Catalog, Environment},
    model::{
        account::{AccountKey, Connection},
        auth::{AuthMode, OAuth2},
        blueprint::Integration,
        failure::Failure,
        http::{Authorized, CONTENT_TYPE, HeaderMap, HeaderValue, Response},
        secret::Secret,
        time::Timestamp,
    },
    store::{
        Basis, Error, LeaseAnswer, LeaseAsk, LeaseHeld, NewAccount, NewTokens, Retraction, Secrets,
        StoreFuture, Verdict,
        suite::{self, Still, Subject},
    },
    wire::{self, Exchange, Wire},
};

/// What the token endpoint does with the request of a number.
type Endpoint = Box<dyn Fn(usize) -> Result<(u16, Value), wire::Error> + Send + Sync>;

pub struct Vendor {
    asked: AtomicUsize,
    answer: Endpoint,
    /// The URL and body of the last request.
    last: Mutex<String>,
}

impl Wire for Vendor {
    fn send<'a>(&'a self, request: &'a Authorized) -> Exchange<'a> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let sent = request.open();
        let body = sent.body.held().unwrap_or_default();
        *self.last.lock().unwrap() = format!("{} {}", sent.url, String::from_utf8_lossy(&body));
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
pub struct Full {
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

    /// A lease is a write as well, and no token: it counts for none.
    fn renew<'a>(&'a self, held: &'a LeaseHeld, term: Duration) -> StoreFuture<'a, bool> {
        if self.refusals.load(Ordering::SeqCst) > 0 {
            return Box::pin(async { Err(full()) });
        }
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
        Box::pin(async { Err(full()) })
    }

    fn verdict(&self, verdict: Verdict) -> StoreFuture<'_, bool> {
        self.secrets.verdict(verdict)
    }

    fn set_expiry(&self, basis: Basis, expires_at: Timestamp) -> StoreFuture<'_, bool> {
        self.secrets.set_expiry(basis, expires_at)
    }

    fn retract(&self, retraction: Retraction) -> StoreFuture<'_, bool> {
        self.secrets.retract(retraction)
    }
}

fn full() -> Error {
    let text = String::new;
    Error::Unusable { path: text(), reason: text(), hint: text() }
}

pub struct Scene {
    pub subject: Subject,
    pub vendor: Arc<Vendor>,
    pub integration: Arc<Integration>,
    pub keeper: Arc<Keeper>,
    pub full: Arc<Full>,
}

impl Scene {
    pub fn new(
        answer: impl Fn(usize) -> Result<(u16, Value), wire::Error> + Send + Sync + 'static,
    ) -> Self {
        let subject = suite::memory();
        let (asked, last) = (AtomicUsize::new(0), Mutex::default());
        let vendor = Arc::new(Vendor { asked, answer: Box::new(answer), last });
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
    pub async fn connect(&self) -> Connection {
        let mut new = suite::new("hubspot", "default", "access-1");
        let fields = &mut new.connection.secrets.credentials.fields;
        fields.insert("refresh_token".to_owned(), Secret::new("refresh-1".to_owned()));
        suite::add(&self.subject.store, NewAccount { replace: true, ..new }).await;
        self.stored().await
    }

    pub async fn stored(&self) -> Connection {
        suite::open(&self.subject.store, &suite::key("hubspot", "default")).await
    }

    /// The disk refuses the next so many token sets.
    pub fn refuse(&self, times: usize) {
        self.full.refusals.store(times, Ordering::SeqCst);
    }

    /// How many refusals are left.
    pub fn refusals(&self) -> usize {
        self.full.refusals.load(Ordering::SeqCst)
    }

    /// The URL and body of the last request.
    pub fn last(&self) -> String {
        self.vendor.last.lock().unwrap().clone()
    }

    /// The blueprint with other ways of OAuth 2.
    pub fn change(&mut self, change: impl FnOnce(&mut OAuth2)) {
        let integration = Arc::make_mut(&mut self.integration);
        let auth = Arc::make_mut(&mut Arc::make_mut(&mut integration.blueprint).auth);
        let AuthMode::OAuth2(oauth) = &mut auth.mode else { panic!("the mode is OAUTH2") };
        change(oauth);
    }

    pub fn asked(&self) -> usize {
        self.vendor.asked.load(Ordering::SeqCst)
    }

    pub async fn refresh(&self, from: &Connection, forced: bool) -> RefreshOutcome {
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
    Stale { basis: Basis::of(from), forced }
}

pub fn tokens(number: usize) -> (u16, Value) {
    let body = json!({"access_token": format!("access-{}", number + 1), "refresh_token": format!("refresh-{}", number + 1), "expires_in": 3600});
    (200, body)
}

pub fn failed(outcome: RefreshOutcome) -> Failure {
    match outcome {
        RefreshOutcome::Failed(failure) => failure,
        RefreshOutcome::Stored(_) | RefreshOutcome::Unsaved(..) => panic!("it went well"),
    }
}
