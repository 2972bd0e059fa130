//! A request's way through its buckets.

use std::{sync::Arc, time::Duration};

use crate::{
    diagnostic::Explain,
    model::{
        failure::{Code, Failure},
        http::Response,
        limit::{Limit, Per},
        rule::{Outcome, OutcomeKind},
        time::format_span,
    },
    policy::limit::{self, Place, Remaining, Take},
    run::{
        bucket::{Line, SharedBucket},
        context::Context,
        host::Host,
        patience::Patience,
        progress::{Progress, UnderWay},
        request::{Base, Rendered},
        services::Services,
    },
    store,
    template::{self, Fault, Scope},
};

/// Between looks at a store that cannot be read.
const STORE_AGAIN: Duration = Duration::from_millis(250);

/// What limits may ask about a request.
pub struct Asked<'a> {
    /// Itself.
    pub rendered: &'a Rendered,
    /// Where its path begins.
    pub base: &'a Base,
    /// The roots of blueprints.
    pub scope: Scope<'a>,
}

/// The buckets that one request has to pass.
pub struct Gate {
    buckets: Vec<(Arc<SharedBucket>, usize)>,
    host: Arc<Host>,
}

/// Places taken; given back when it is dropped, with the body of the answer.
pub struct Pass {
    gate: Arc<Gate>,
    places: Vec<Option<Place>>,
    /// How many of them are in use.
    started: usize,
    waited: Duration,
    /// Since it is in use.
    under_way: Option<UnderWay>,
}

impl Gate {
    /// Finds the limits that fit a request, and their buckets.
    pub fn new(cx: &Context<'_>, asked: &Asked<'_>) -> Result<Self, Fault> {
        let blueprint = cx.blueprint();
        let request = &asked.rendered.request;
        let (path, method) = (asked.base.relative(&request.url), &request.method);
        let mut buckets = Vec::new();
        for (index, limit) in blueprint.limits.iter().enumerate() {
            if limit::matches(limit, method, path) {
                let key = key(cx, limit, asked)?;
                buckets.push((cx.services.limiter.bucket(key, Some(limit)), index));
            }
        }
        if buckets.is_empty() {
            // Without a limit of its own a `rate_limited` still pauses the connection.
            let invocation = cx.invocation;
            let key =
                format!("{}\nconnection\n{}", invocation.integration.name, invocation.connection);
            buckets.push((cx.services.limiter.bucket(key, None), usize::MAX));
        }
        Ok(Self { buckets, host: host(cx, asked.rendered) })
    }

    /// Of a request that no limit is for.
    pub fn open(cx: &Context<'_>, rendered: &Rendered) -> Self {
        Self { buckets: Vec::new(), host: host(cx, rendered) }
    }

    /// Where the request goes.
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Closes it for everybody, for as long as the caller is going to wait.
    pub async fn close(&self, cx: &Context<'_>, span: Duration) {
        let until = cx.services.clock.boot() + span;
        for (bucket, _) in &self.buckets {
            if bucket.bucket().close(until) {
                bucket.publish(cx.services.limiter.ports()).await;
            }
        }
    }
}

fn host(cx: &Context<'_>, rendered: &Rendered) -> Arc<Host> {
    let Services { limiter, clock, .. } = cx.services;
    limiter.hosts().of(&rendered.request.url, clock.boot())
}

/// Blueprint and name, then what `per` says.
fn key(cx: &Context<'_>, limit: &Limit, asked: &Asked<'_>) -> Result<String, Fault> {
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
                let root = root.get_or_insert_with(|| asked.rendered.root(asked.base));
                let mut scope = asked.scope.clone().with("request", root);
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

/// Waits until all buckets have a place. A wait that is longer than the patience of the request fails
/// at once, with the time when it makes sense to come again.
pub async fn pass(cx: &Context<'_>, gate: &Arc<Gate>) -> Result<Pass, Failure> {
    let mut pass = Pass::new(gate);
    let Some(position) = pass.fill(cx).await else { return Ok(pass) };
    // All or nothing: places in other buckets are of no use while we wait here.
    drop(pass);
    let waiting = Waiting { cx, since: cx.services.clock.elapsed() };
    // On the heap: few have to wait, and all are as large as this.
    let mut pass = Box::pin(stand(cx, gate, position)).await?;
    pass.waited = waiting.span();
    Ok(pass)
}

/// Stands in the line of the bucket that has no place. Who comes out of it and finds none in another
/// one stands in all lines at once, in their order, and nobody goes before it any more: else two
/// buckets that are both short of places could send it from one to the other for ever.
async fn stand(cx: &Context<'_>, gate: &Arc<Gate>, position: usize) -> Result<Pass, Failure> {
    let mut patience = Patience::new(cx);
    let mut pass = Pass::new(gate);
    if let Some((bucket, _)) = gate.buckets.get(position) {
        let _line = in_line(cx, &mut patience, bucket).await?;
        let place = take(cx, &mut patience, bucket).await?;
        // In the pass it is given back, should the run be dropped while the row is read.
        pass.put(position, place);
        bucket.ask_ahead(cx.services.limiter.ports()).await;
    }
    if pass.fill(cx).await.is_none() {
        return Ok(pass);
    }
    drop(pass);
    let mut lines = Vec::with_capacity(gate.buckets.len());
    for (bucket, _) in &gate.buckets {
        lines.push(in_line(cx, &mut patience, bucket).await?);
    }
    loop {
        let mut pass = Pass::new(gate);
        let Some(position) = pass.take_all(cx).await else { return Ok(pass) };
        drop(pass);
        if let Some((bucket, _)) = gate.buckets.get(position) {
            let place = take(cx, &mut patience, bucket).await?;
            let mut pass = Pass::new(gate);
            pass.put(position, place);
            if pass.take_all(cx).await.is_none() {
                return Ok(pass);
            }
        }
    }
}

/// Waits for the turn to take a place.
async fn in_line<'b>(
    cx: &Context<'_>,
    patience: &mut Patience<'_>,
    bucket: &'b SharedBucket,
) -> Result<Line<'b>, Failure> {
    match patience.during(bucket.in_line()).await {
        Some(line) => Ok(line),
        None => Err(too_long(cx, None)),
    }
}

/// Waits for a place in one bucket, whose turn it is.
async fn take(
    cx: &Context<'_>,
    patience: &mut Patience<'_>,
    bucket: &SharedBucket,
) -> Result<Place, Failure> {
    let ports = cx.services.limiter.ports();
    let mut without_store = Duration::ZERO;
    loop {
        let freed = bucket.freed();
        let (span, reason) = match bucket.take(ports).await {
            Ok(Take::Taken(place)) => return Ok(place),
            Ok(Take::Wait(span)) if span > patience.left() => {
                return Err(too_long(cx, Some(span)));
            }
            Ok(Take::Wait(span)) => (span, "the limit of this API"),
            Ok(Take::Full | Take::Ask) => match patience.during(freed).await {
                Some(()) => continue,
                None => return Err(too_long(cx, None)),
            },
            // Nobody knows what other processes send: nothing goes until the store is back.
            Err(error) if without_store >= cx.retry.budget => return Err(no_store(&error)),
            Err(_) => {
                without_store += STORE_AGAIN;
                (STORE_AGAIN, "the store, which counts for the limit of this API")
            }
        };
        cx.observer.waiting(reason, span);
        cx.services.clock.sleep(span).await;
    }
}

/// A wait that is noted also when it is broken off.
struct Waiting<'a> {
    cx: &'a Context<'a>,
    since: Duration,
}

impl Waiting<'_> {
    fn span(&self) -> Duration {
        self.cx.services.clock.elapsed().saturating_sub(self.since)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.cx.recorder.journal.waited(self.span());
    }
}

impl Pass {
    fn new(gate: &Arc<Gate>) -> Self {
        let places = gate.buckets.iter().map(|_| None).collect();
        Self { gate: Arc::clone(gate), places, started: 0, waited: Duration::ZERO, under_way: None }
    }

    /// Takes a place in each bucket that has one and for which nobody waits; the first that has none
    /// ends it, and its position is handed out.
    async fn fill(&mut self, cx: &Context<'_>) -> Option<usize> {
        let ports = cx.services.limiter.ports();
        let gate = Arc::clone(&self.gate);
        for (position, (bucket, _)) in gate.buckets.iter().enumerate() {
            if self.has(position) {
                continue;
            }
            // The error comes again to whoever waits, and is dealt with there.
            let Ok(Some(place)) = bucket.try_take(ports).await else { return Some(position) };
            // In the pass it is given back, should the run be dropped while the row is read.
            self.put(position, place);
            bucket.ask_ahead(ports).await;
        }
        None
    }

    /// The same for one who stands in all lines.
    async fn take_all(&mut self, cx: &Context<'_>) -> Option<usize> {
        let ports = cx.services.limiter.ports();
        let gate = Arc::clone(&self.gate);
        for (position, (bucket, _)) in gate.buckets.iter().enumerate() {
            if self.has(position) {
                continue;
            }
            let Ok(Take::Taken(place)) = bucket.take(ports).await else { return Some(position) };
            self.put(position, place);
        }
        None
    }

    fn has(&self, position: usize) -> bool {
        self.places.get(position).is_some_and(Option::is_some)
    }

    fn put(&mut self, position: usize, place: Place) {
        if let Some(slot) = self.places.get_mut(position) {
            *slot = Some(place);
        }
    }

    /// How long it took to get it.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Uses it, right before the request is sent; `false` if that took too long, and another pass
    /// is needed.
    pub fn start(&mut self, progress: &Arc<Progress>, now: Duration) -> bool {
        for ((bucket, _), place) in self.gate.buckets.iter().zip(&self.places) {
            if !place.is_some_and(|place| bucket.bucket().start(place, now)) {
                return false;
            }
            self.started += 1;
        }
        self.under_way = Some(progress.begin());
        true
    }

    /// Learns from the answer: observed headers, and a throttle that closes the buckets for
    /// everybody.
    pub async fn learn(&self, cx: &Context<'_>, response: &Response, outcome: Option<&Outcome>) {
        let (now, boot) = (cx.now(), cx.services.clock.boot());
        for (bucket, index) in &self.gate.buckets {
            let limit = cx.blueprint().limits.get(*index);
            let mut urgent = false;
            if let Some(observe) = limit.and_then(|limit| limit.observe.as_ref()) {
                let seen = limit::observe(observe, response, now);
                if let Some(count) = seen.remaining {
                    let reset = seen.reset.map(|reset| boot + reset.since(now));
                    urgent |= bucket.bucket().learn(Remaining { count, reset }, boot);
                }
            }
            if let Some(outcome) = outcome.filter(|o| o.kind == OutcomeKind::RateLimited)
                && let Some(wait) = outcome.wait
            {
                urgent |= bucket.bucket().close(boot + wait);
            }
            if urgent {
                bucket.publish(cx.services.limiter.ports()).await;
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let places = self.gate.buckets.iter().zip(&self.places).enumerate();
        for (position, ((bucket, _), place)) in places {
            match place {
                Some(_) if position < self.started => bucket.release(),
                Some(place) => bucket.untake(*place),
                None => {}
            }
        }
    }
}

fn no_store(error: &store::Error) -> Failure {
    let message = format!("the limit of this API cannot be kept: {error}");
    let failure = Failure::new(Code::Internal, message);
    match error.hint() {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// `wait`: how long it would take, if that is known.
fn too_long(cx: &Context<'_>, wait: Option<Duration>) -> Failure {
    let message = match wait {
        Some(wait) => format!("the limit of this API is used up for another {}", format_span(wait)),
        None => {
            let budget = format_span(cx.retry.budget);
            format!("for {budget} the limit of this API let nothing of this run through")
        }
    };
    let mut failure = Failure::new(Code::RateLimited, message)
        .with_hint("run it later, or allow the wait with `--wait`");
    failure.retry_at = wait.map(|wait| cx.now().plus(wait));
    failure
}
