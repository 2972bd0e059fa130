//! A request's way through its buckets.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{
        failure::{Code, Failure},
        http::Response,
        limit::{Limit, Per},
        rule::{Outcome, OutcomeKind},
        time::format_span,
    },
    policy::limit::{self, Take},
    run::{
        cx::Cx,
        limiter::{Shared, lock},
        request::Rendered,
    },
    template::{self, Fault},
};

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

/// Waits until all buckets have a place. A wait that is longer than the retry budget fails at
/// once, with the time when it makes sense to come again.
pub async fn pass<'g>(cx: &Cx<'_>, gate: &'g Gate) -> Result<Pass<'g>, Failure> {
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
