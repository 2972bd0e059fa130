//! The buckets that all runs of a process share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use tokio::sync::Notify;

use crate::{
    model::{
        failure::{Code, Failure},
        http::Response,
        limit::{Limit, Per},
        rule::{Outcome, OutcomeKind},
        time::format_span,
    },
    policy::limit::{self, Bucket, Take},
    run::{cx::Cx, request::Rendered},
    template::{self, Fault},
};

/// Buckets that nobody used for this long are forgotten.
const MOST_BUCKETS: usize = 10_000;

/// All buckets, by key.
#[derive(Default)]
pub struct Limiter {
    buckets: Mutex<HashMap<String, Arc<Shared>>>,
    /// No jitter: every back-off is the longest one, as tests in files expect.
    steady: bool,
}

/// A bucket, and the way to wake those who wait for a place in it.
struct Shared {
    bucket: Mutex<Bucket>,
    freed: Notify,
}

/// The buckets that one request has to pass.
pub struct Gate {
    buckets: Vec<(Arc<Shared>, usize)>,
}

/// Places taken; given back when it is dropped.
pub struct Pass<'a> {
    gate: &'a Gate,
    waited: Duration,
}

impl Gate {
    /// Finds the limits that fit a request, and their buckets.
    pub fn new(cx: &Cx<'_>, rendered: &Rendered) -> Result<Self, Fault> {
        let blueprint = cx.blueprint();
        let path = cx.base.relative(&rendered.request.url);
        let method = rendered.request.method;
        let mut buckets = Vec::new();
        for (index, limit) in blueprint.limits.iter().enumerate() {
            if limit::matches(limit, method, path) {
                let key = key(cx, limit, rendered)?;
                buckets.push((cx.world.limiter.bucket(key, limit), index));
            }
        }
        if buckets.is_empty() {
            // Without a limit of its own a `rate_limited` still pauses the connection.
            let invocation = cx.invocation;
            let key = format!("{}\n\n{}", invocation.integration.name, invocation.connection);
            buckets.push((cx.world.limiter.bare(key), usize::MAX));
        }
        Ok(Self { buckets })
    }
}

/// Blueprint and name, then what `per` says.
fn key(cx: &Cx<'_>, limit: &Limit, rendered: &Rendered) -> Result<String, Fault> {
    let mut key = format!("{}\n{}", cx.blueprint().id, limit.name);
    let mut root = None;
    for per in &limit.per {
        key.push('\n');
        match per {
            Per::Integration => key.push_str(&cx.invocation.integration.name),
            Per::Connection => {
                key.push_str(&cx.invocation.integration.name);
                key.push('/');
                key.push_str(&cx.invocation.connection);
            }
            Per::Expr(template) => {
                let root = root.get_or_insert_with(|| rendered.root(cx.base));
                let mut scope = cx.roots.blueprint(cx.now()).with("request", root);
                scope.lenient = true;
                match template::text(template, &scope)? {
                    Some(text) => key.push_str(&text),
                    None => key.push_str(&cx.invocation.connection),
                }
            }
        }
    }
    Ok(key)
}

impl Limiter {
    /// A limiter for tests: waits are exact.
    pub fn steady() -> Self {
        Self { steady: true, ..Self::default() }
    }

    fn bucket(&self, key: String, limit: &Limit) -> Arc<Shared> {
        self.get(key, || Bucket::new(limit.rate, limit.concurrency))
    }

    fn bare(&self, key: String) -> Arc<Shared> {
        self.get(key, || Bucket::new(None, None))
    }

    fn get(&self, key: String, make: impl FnOnce() -> Bucket) -> Arc<Shared> {
        let mut buckets = lock(&self.buckets);
        if buckets.len() >= MOST_BUCKETS {
            buckets.retain(|_, shared| {
                Arc::strong_count(shared) > 1 || lock(&shared.bucket).is_busy()
            });
        }
        let make = || Arc::new(Shared { bucket: Mutex::new(make()), freed: Notify::new() });
        Arc::clone(buckets.entry(key).or_insert_with(make))
    }

    /// Waits until all buckets have a place. A wait that is longer than the retry budget fails at
    /// once, with the time when it makes sense to come again.
    pub async fn pass<'g>(&self, cx: &Cx<'_>, gate: &'g Gate) -> Result<Pass<'g>, Failure> {
        let mut waited = Duration::ZERO;
        'again: loop {
            for (position, (shared, _)) in gate.buckets.iter().enumerate() {
                let freed = shared.freed.notified();
                let take = lock(&shared.bucket).take(cx.now());
                let wait = match take {
                    Take::Taken => continue,
                    Take::Wait(wait) => Some(wait),
                    Take::Full => None,
                };
                // All or nothing: places in the earlier buckets are of no use while we wait here.
                gate.give_back(position);
                match wait {
                    Some(wait) if wait > cx.retry.budget => return Err(too_long(cx, wait)),
                    Some(wait) => {
                        cx.pause(wait, "the limit of this API").await;
                        waited += wait;
                    }
                    None => freed.await,
                }
                continue 'again;
            }
            return Ok(Pass { gate, waited });
        }
    }

    /// Between 0 and 1, for jitter.
    pub fn jitter(&self) -> f64 {
        let mut bytes = [0_u8; 4];
        // Without randomness every wait is the longest one: slower, never wrong.
        if self.steady || SystemRandom::new().fill(&mut bytes).is_err() {
            return 1.0;
        }
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }
}

impl Gate {
    /// Gives back the places in the first `count` buckets, as if they had not been taken.
    fn give_back(&self, count: usize) {
        for (shared, _) in self.buckets.iter().take(count) {
            lock(&shared.bucket).untake();
            shared.freed.notify_one();
        }
    }
}

impl Pass<'_> {
    /// How long it took to get it.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// What the answer tells about the buckets: observed headers, and a throttle that closes them
    /// for everybody.
    pub fn learn(&self, cx: &Cx<'_>, response: &Response, outcome: Option<&Outcome>) {
        let now = cx.now();
        for (shared, index) in &self.gate.buckets {
            let limit = cx.blueprint().limits.get(*index);
            if let Some(observe) = limit.and_then(|limit| limit.observe.as_ref()) {
                let seen = limit::observe(observe, response, now);
                lock(&shared.bucket).learn(&seen, now);
            }
            if let Some(outcome) = outcome.filter(|o| o.kind == OutcomeKind::RateLimited)
                && let Some(wait) = outcome.wait
            {
                lock(&shared.bucket).close(now.plus(wait));
            }
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        for (shared, _) in &self.gate.buckets {
            lock(&shared.bucket).release();
            shared.freed.notify_one();
        }
    }
}

fn too_long(cx: &Cx<'_>, wait: Duration) -> Failure {
    let message = format!("the limit of this API is used up for another {}", format_span(wait));
    let mut failure = Failure::new(Code::RateLimited, message)
        .with_hint("run it later, or allow the wait with `--wait`");
    failure.retry_at = Some(cx.now().plus(wait));
    failure
}

/// A lock whose holder panicked is still a lock: buckets are sound after every call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
