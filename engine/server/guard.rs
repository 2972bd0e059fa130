//! Who asks: keys, what they may do, and how fast.
//!
//! A key is looked up by the digest of its text, so that nothing compares texts, and held as long as
//! the store says that no key was changed. It is asked once a second; without an answer for a minute
//! nobody is admitted.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::header::WWW_AUTHENTICATE;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    engine::{Actor, Engine},
    error::Error,
    http::Request,
    model::{
        api_key::{ApiKey, Narrowing},
        http::{AUTHORIZATION, Fields},
    },
    policy::permission,
    server::{failures::Failures, problem::Problem, rate::Tokens},
};

/// Between two looks whether a key was changed.
const PULSE: Duration = Duration::from_secs(1);
/// What was read longer ago counts no more.
const STALE: Duration = Duration::from_mins(1);
/// Keys that are held.
const HELD: usize = 10_000;
/// Uses are written down at most so often.
const NOTED: Duration = Duration::from_mins(1);
/// After this there may be a place again.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// What a row asks of who asks.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// Nothing: anybody may.
    Open,
    /// A key.
    Key,
    /// A key with this scope.
    Scope(&'static str),
    /// The same, of a key that knows of everything.
    Whole(&'static str),
    /// The same, of one that may change something, too.
    WholeChange(&'static str),
}

/// A key in use.
pub struct Caller {
    /// The key.
    pub key: ApiKey,
    tokens: Option<Tokens>,
    places: Option<Arc<Semaphore>>,
    noted: AtomicU64,
}

impl Caller {
    fn new(key: ApiKey, now: Duration) -> Self {
        let places = key.concurrency.and_then(|count| usize::try_from(count).ok());
        Self {
            tokens: key.rate.map(|rate| Tokens::new(rate, now)),
            places: places.map(|count| Arc::new(Semaphore::new(count))),
            noted: AtomicU64::new(0),
            key,
        }
    }

    /// Of what and of whom it may know.
    pub fn narrowing(&self) -> &Narrowing {
        &self.key.narrowing
    }

    /// What came of asking the engine. An error tells a key no names of what it may not list.
    pub fn told<T>(&self, asked: Result<T, Error>) -> Result<T, Problem> {
        asked.map_err(|mut error| {
            if !permission::has(&self.key.scopes, "environment:connections:list") {
                error.forget_connections();
            }
            if !permission::is_whole(&self.key.narrowing) {
                error.forget_suggestion();
            }
            error.into()
        })
    }

    /// As it stands in the audit.
    pub fn actor(&self, request: &Request) -> Actor {
        Actor { who: self.key.id.clone(), source: Some(request.from.ip().to_string()) }
    }
}

/// Who was let in.
pub struct Admitted {
    /// The key.
    pub caller: Arc<Caller>,
    /// One of its places, until the answer has been sent.
    pub place: Option<OwnedSemaphorePermit>,
}

/// A key that is held, and under which revision it was read.
struct Held {
    caller: Arc<Caller>,
    revision: i64,
}

/// See the module.
pub struct Guard {
    engine: Arc<Engine>,
    held: Mutex<HashMap<String, Held>>,
    failures: Failures,
    revision: AtomicI64,
    /// When it was read, in milliseconds of the boot clock.
    seen: AtomicU64,
}

impl Guard {
    /// Of an engine whose store answers.
    pub async fn new(engine: Arc<Engine>) -> Result<Self, Error> {
        let guard = Self {
            held: Mutex::default(),
            failures: Failures::default(),
            revision: AtomicI64::new(0),
            seen: AtomicU64::new(0),
            engine,
        };
        guard.look().await?;
        Ok(guard)
    }

    /// Looks again and again.
    pub async fn pulse(&self) {
        loop {
            self.engine.clock().sleep(PULSE).await;
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "whether keys were changed is not known");
            }
        }
    }

    async fn look(&self) -> Result<(), Error> {
        let asked = self.engine.clock().boot();
        let revision = self.engine.api_key_revision().await?;
        self.revision.store(revision, Ordering::Relaxed);
        self.seen.store(ms(asked), Ordering::Relaxed);
        Ok(())
    }

    /// Lets a request in, or says why not.
    pub async fn admit(
        &self,
        request: &Request,
        access: Access,
    ) -> Result<Option<Admitted>, Problem> {
        let wanted = match access {
            Access::Open => return Ok(None),
            Access::Key => None,
            Access::Scope(scope) | Access::Whole(scope) | Access::WholeChange(scope) => Some(scope),
        };
        let caller = self.caller(request).await?;
        let key = &caller.key;
        if let Some(scope) = wanted.filter(|scope| !permission::has(&key.scopes, scope)) {
            let message = format!("the key lacks the scope `{scope}`");
            return Err(Problem::forbidden(message));
        }
        let about_all = matches!(access, Access::Whole(_) | Access::WholeChange(_));
        if about_all && !permission::is_whole(&key.narrowing) {
            return Err(Problem::forbidden("the key is narrowed, and this is about all"));
        }
        if matches!(access, Access::WholeChange(_)) && key.narrowing.read_only {
            return Err(Problem::forbidden("the key only reads, and this changes something"));
        }
        let now = self.engine.clock().elapsed();
        if let Some(tokens) = &caller.tokens {
            let much = "the key's rate is used up";
            tokens.take(now).map_err(|wait| Problem::too_many(429, much, wait))?;
        }
        let place = match &caller.places {
            None => None,
            Some(places) => Some(Arc::clone(places).try_acquire_owned().map_err(|_| {
                Problem::too_many(429, "too many requests of the key at once", COME_AGAIN)
            })?),
        };
        self.note(&caller, now).await;
        Ok(Some(Admitted { caller, place }))
    }

    async fn caller(&self, request: &Request) -> Result<Arc<Caller>, Problem> {
        let text = bearer(request)?;
        let clock = self.engine.clock();
        let age = ms(clock.boot()).saturating_sub(self.seen.load(Ordering::Relaxed));
        if age > ms(STALE) {
            let message = "the store does not answer, so that no key can be looked up";
            return Err(Problem::new(503, "store_unreadable", message));
        }
        let revision = self.revision.load(Ordering::Relaxed);
        let hash = Engine::api_key_hash(&text);
        let held = self.held(&hash);
        let caller = match held {
            Some(held) if held.revision == revision => held.caller,
            held => {
                let Some(key) = self.engine.api_key(&hash).await? else {
                    return Err(self.wrong(request));
                };
                let now = clock.elapsed();
                let same = held.filter(|held| held.caller.key == unused(&key, &held.caller.key));
                let caller = same.map_or_else(|| Arc::new(Caller::new(key, now)), |one| one.caller);
                self.hold(hash, Held { caller, revision })
            }
        };
        if caller.key.is_good(clock.now()) { Ok(caller) } else { Err(self.wrong(request)) }
    }

    /// The answer to a key that is not good. Only those who have none are slowed: behind a proxy all
    /// come from one address, and a key of 256 bits is not found by trying.
    fn wrong(&self, request: &Request) -> Problem {
        let (now, from) = (self.engine.clock().elapsed(), request.from.ip());
        if let Some(wait) = self.failures.wait(from, now) {
            return Problem::too_many(429, "too many wrong keys from this address", wait);
        }
        self.failures.note(from, now);
        unknown()
    }

    fn held(&self, hash: &str) -> Option<Held> {
        let all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { caller, revision } = all.get(hash)?;
        Some(Held { caller: Arc::clone(caller), revision: *revision })
    }

    /// Of several requests that looked the same key up at once all use what the first one holds:
    /// its rate and its places are there once.
    fn hold(&self, hash: String, held: Held) -> Arc<Caller> {
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let same = all.get(&hash).map(|held| Arc::clone(&held.caller));
        let same = same.filter(|one| one.key == unused(&held.caller.key, &one.key));
        let caller = same.unwrap_or(held.caller);
        if all.len() >= HELD {
            all.clear();
        }
        all.insert(hash, Held { caller: Arc::clone(&caller), revision: held.revision });
        caller
    }

    async fn note(&self, caller: &Caller, now: Duration) {
        let (now, last) = (ms(now).max(1), caller.noted.load(Ordering::Relaxed));
        if last == 0 || now.saturating_sub(last) >= ms(NOTED) {
            caller.noted.store(now, Ordering::Relaxed);
            self.engine.api_key_used(&caller.key.id).await;
        }
    }
}

/// A key as it is stored now, but for its last use: that is no change.
fn unused(key: &ApiKey, held: &ApiKey) -> ApiKey {
    ApiKey { last_used_at: held.last_used_at, ..key.clone() }
}

/// The text after `Bearer` (RFC 6750, section 2.1); keys are taken from nowhere else.
fn bearer(request: &Request) -> Result<String, Problem> {
    let challenge = |problem: Problem| problem.with(WWW_AUTHENTICATE, "Bearer");
    let Some(field) = request.headers.text(AUTHORIZATION) else {
        let message = "the field `Authorization` is missing";
        let problem = Problem::new(401, "missing_auth_header", message);
        return Err(challenge(problem.with_hint("send `Authorization: Bearer KEY`")));
    };
    let token = field.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token.map(|(_, token)| token.trim()).filter(|token| !token.is_empty()) {
        Some(token) => Ok(token.to_owned()),
        None => {
            let message = "the field `Authorization` is not `Bearer KEY`";
            Err(challenge(Problem::new(401, "malformed_auth_header", message)))
        }
    }
}

/// Unknown, expired, revoked: who has none that is good is not told which.
fn unknown() -> Problem {
    Problem::new(401, "unknown_account", "the key is not known, or good no more")
        .with(WWW_AUTHENTICATE, "Bearer")
        .with_hint("`engine keys list` shows which there are")
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
