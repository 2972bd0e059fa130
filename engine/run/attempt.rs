//! One request until an outcome stands: wait our turn, authorize, send, judge, note, decide.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use crate::{
    auth::{self, OpenCredentials},
    model::{
        action::Accept,
        failure::{Code, Failure},
        http::{Authorized, HeaderMap, Method, Request, Response, is_idempotent, is_safe},
        rule::{Judge, Outcome, OutcomeKind, Rule},
        time::Timestamp,
    },
    policy::{
        classify::{self, Answer, Fate, Rules},
        retry::{self, Decision, Event, Renewal, Situation},
    },
    run::{
        arrival::{self, Arrival, Arriving, Reading},
        context::Context,
        course::{Course, Moved, Unfollowed},
        decode::{self, Wanted},
        fault,
        gate::{self, Gate, Pass},
        note::{self, Sent, UnderWay},
        request::Rendered,
        writes::Turn,
    },
    template::{Fault, Scope},
};

/// What is asked of the API, whoever asks.
pub struct Ask<'a> {
    /// Names it in records and failures: the step's id, or `request`.
    pub name: &'a str,
    /// Without credentials.
    pub rendered: &'a Rendered,
    /// Which request of the run it is.
    pub turn: Turn,
    /// Its own rules; those of the blueprint follow.
    pub rules: &'a [Rule],
    /// Whether it may be repeated, if somebody says so.
    pub idempotent: Option<bool>,
    /// What becomes of the body of an accepted answer.
    pub reading: Reading<'a>,
    /// What the templates of rules see, beside the answer.
    pub scope: &'a Scope<'a>,
}

/// An accepted answer.
pub struct Settled {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// As far as anything reads it.
    pub body: Value,
    /// Its bytes; empty if it goes to somebody else.
    pub raw: Bytes,
    /// The body itself, if it goes to somebody else.
    pub arriving: Option<Arriving>,
    /// Where redirects have led it, if they have: its relative links are of there.
    pub moved_to: Option<Url>,
}

/// What came of one exchange, if it was no failure.
enum Exchanged {
    Settled(Settled),
    /// It goes on elsewhere.
    Moved(Box<Moved>),
}

/// A try that did not settle it.
struct Tried {
    event: Event,
    failure: Failure,
}

/// What is known of the tries so far.
struct Tries<'a> {
    course: Course<'a>,
    attempt: u32,
    refreshed: bool,
    waited: Duration,
    /// Whether one of them may have been carried out.
    unknown: bool,
}

/// Tries until the answer is accepted or there is no point in going on.
pub async fn settle(cx: &Context<'_>, ask: &Ask<'_>) -> Result<Settled, Failure> {
    let in_step = |failure: Failure| Failure { step: Some(ask.name.to_owned()), ..failure };
    let mut tries = Tries {
        course: Course::new(ask.rendered),
        attempt: 1,
        refreshed: false,
        waited: Duration::ZERO,
        unknown: false,
    };
    let mut gate = gate(cx, ask, &tries.course)?;
    loop {
        allowed(cx).map_err(in_step)?;
        let (pass, held) = admit(cx, &gate).await.map_err(in_step)?;
        let one = Try { cx, ask, tries: &tries, held: &held };
        // On the heap: else everything around it, each item of an `each` too, is as large as it.
        let tried = match Box::pin(one.run(pass)).await {
            Ok(Exchanged::Settled(settled)) => return Ok(settled),
            Ok(Exchanged::Moved(moved)) => {
                tries.course.follow(moved);
                gate = self::gate(cx, ask, &tries.course)?;
                continue;
            }
            Err(tried) => tried,
        };
        tries.unknown |= matches!(tried.event, Event::Unknown | Event::Transient(_));
        let situation = situation(cx, ask, &tries, tried.event);
        match retry::decide(&cx.retry, &situation) {
            Decision::Again { wait, reason } => {
                tracing::debug!(step = ask.name, attempt = tries.attempt, ?wait, reason, "again");
                tries.waited += wait;
                if let Event::Rejected(None) = tried.event {
                    // The API did not say how long: others would be rejected, too.
                    gate.close(cx, wait).await;
                }
                cx.pause(wait, reason).await;
            }
            Decision::Renew => {
                tries.refreshed = true;
                cx.account().renew(&held).await.map_err(in_step)?;
            }
            Decision::Settle { maybe_executed, retry_after, reason } => {
                tracing::debug!(step = ask.name, attempt = tries.attempt, reason, "given up");
                return Err(in_step(end(cx, tried, maybe_executed, retry_after).await));
            }
        }
        tries.attempt += 1;
    }
}

/// The limits of the request as it is to be sent now. Those of the API are not those of a host to
/// which it sends without credentials.
fn gate(cx: &Context<'_>, ask: &Ask<'_>, course: &Course<'_>) -> Result<Arc<Gate>, Failure> {
    if course.is_bare() {
        return Ok(Arc::new(Gate::open()));
    }
    let gate = Gate::new(cx, course.rendered()).map_err(|f| fault::failure(&f, ask.name))?;
    Ok(Arc::new(gate))
}

/// A place in all buckets, in use, and credentials. Places do not last while credentials are
/// refreshed; then others are taken.
async fn admit(
    cx: &Context<'_>,
    gate: &Arc<Gate>,
) -> Result<(Pass, Arc<OpenCredentials>), Failure> {
    loop {
        let mut pass = gate::pass(cx, gate).await?;
        let held = cx.account().current().await?;
        if pass.start(cx.services.clock.boot()) {
            return Ok((pass, held));
        }
    }
}

/// One try.
struct Try<'a> {
    cx: &'a Context<'a>,
    ask: &'a Ask<'a>,
    tries: &'a Tries<'a>,
    held: &'a Arc<OpenCredentials>,
}

impl Try<'_> {
    async fn run(&self, pass: Pass) -> Result<Exchanged, Tried> {
        let Self { cx, ask, tries, held } = self;
        let course = &tries.course;
        let request = &course.rendered().request;
        let authorized = self
            .authorized(request)
            .map_err(|f| Tried { event: Event::Final, failure: fault::failure(&f, ask.name) })?;
        let sent = Sent {
            step: ask.name.to_owned(),
            turn: ask.turn,
            attempt: tries.attempt,
            request: Arc::clone(request),
            held: Arc::clone(held),
            waited: pass.waited(),
            bare: course.is_bare(),
        };
        let mut under_way = UnderWay::new(cx.recorder, sent);
        let arrived = match cx.services.wire.send(&authorized).await {
            Ok(answer) => arrival::receive(answer, ask.reading).await,
            Err(error) => Err(error),
        };
        let Arrival { response, read, rest, complete, endless } = match arrived {
            Ok(arrival) => arrival,
            Err(error) => {
                under_way.lost(&error);
                return Err(lost(&error, &request.method));
            }
        };
        // Noted before anything else is waited for: should the run be dropped then, it has answered.
        let (mut outcome, body) = match self.judge(&response, complete) {
            Ok(judged) => judged,
            Err(failure) => {
                under_way.unreadable(&response, &failure.message);
                pass.learn(cx, &response, None).await;
                return Err(Tried { event: Event::Final, failure });
            }
        };
        // A rule knows better: it may take a redirect as the answer.
        let next = (outcome.by == Judge::Status).then(|| course.next(cx, &response)).flatten();
        let unfollowed = match next {
            Some(Ok(moved)) => {
                under_way.redirected(&response, &moved.target());
                pass.learn(cx, &response, None).await;
                return Ok(Exchanged::Moved(moved));
            }
            Some(Err(unfollowed)) => Some(unfollowed),
            None => None,
        };
        let hint = unfollowed.and_then(|Unfollowed { message, hint }| {
            outcome.message = format!("{}: {message}", outcome.message);
            hint
        });
        // The try before may have done it already; a rule of the step knows better.
        let gone = tries.unknown
            && request.method == Method::DELETE
            && response.status == 404
            && outcome.by != Judge::Step;
        let done = outcome.kind == OutcomeKind::Ok || gone;
        let name = if done { OutcomeKind::Ok } else { outcome.kind }.as_str();
        if !done {
            under_way.answered(&response, name, Some(&outcome.message));
            pass.learn(cx, &response, Some(&outcome)).await;
            let mut tried = self.refused(&response, outcome).await;
            tried.failure.hint = hint;
            return Err(tried);
        }
        let Some(rest) = rest else {
            under_way.answered(&response, name, None);
            pass.learn(cx, &response, Some(&outcome)).await;
            let Response { status, headers, body: raw } = response;
            let body = outcome.value.unwrap_or(body);
            let moved_to = self.moved_to();
            let settled = Settled { status, headers, body, raw, arriving: None, moved_to };
            return Ok(Exchanged::Settled(settled));
        };
        under_way.arriving(response.clone(), name);
        pass.learn(cx, &response, Some(&outcome)).await;
        let Response { status, headers, .. } = response;
        let body = outcome.value.unwrap_or(body);
        // Of an answer that never ends, the API's limits mean the head alone.
        let pass = (!endless).then_some(pass);
        let arriving = Arriving::new(read, rest, under_way, pass);
        Ok(Exchanged::Settled(Settled {
            status,
            headers,
            body,
            raw: Bytes::new(),
            arriving: Some(arriving),
            moved_to: self.moved_to(),
        }))
    }

    fn authorized(&self, request: &Request) -> Result<Authorized, Fault> {
        let Self { cx, tries, held, .. } = self;
        if tries.course.is_bare() {
            return Ok(auth::bare(request));
        }
        auth::authorize(request, cx.blueprint(), held, &cx.roots.blueprint(cx.now()))
    }

    fn moved_to(&self) -> Option<Url> {
        let course = &self.tries.course;
        course.is_moved().then(|| course.rendered().request.url.clone())
    }

    /// What the answer means, and its body.
    fn judge(&self, response: &Response, complete: bool) -> Result<(Outcome, Value), Failure> {
        let Self { cx, ask, .. } = self;
        let success = (200..300).contains(&response.status);
        let read = match ask.reading {
            Reading::Through { .. } if !complete => Ok(Value::Null),
            Reading::Whole { accept, demand, needed } if success => {
                decode::decode(response, Wanted { accept, demand, needed })
            }
            // Failures are rare, and everything may be said about them.
            Reading::Through { .. } | Reading::Whole { .. } => Ok(decode::for_rules(response)),
        };
        let body = read.map_err(|message| {
            let mut failure = Failure::new(Code::ProviderError, message);
            failure.status = Some(response.status);
            failure
        })?;
        // Some say in JSON that there is no file, with status 200.
        let said = match ask.reading {
            Reading::Whole { accept: Accept::Text | Accept::Xml | Accept::Bytes, .. }
                if success && decode::is_json(response) =>
            {
                Some(decode::for_rules(response))
            }
            Reading::Whole { .. } | Reading::Through { .. } => None,
        };
        let answer = Answer {
            status: response.status,
            headers: &response.headers,
            body: said.as_ref().unwrap_or(&body),
            scope: ask.scope.clone(),
        };
        let blueprint = Some(cx.blueprint()).filter(|_| !self.tries.course.is_bare());
        let rules = Rules {
            own: ask.rules,
            blueprint: blueprint.map_or(&[], |blueprint| &blueprint.rules),
            error_message: blueprint.and_then(|blueprint| blueprint.error_message.as_deref()),
            error_detail: blueprint.and_then(|blueprint| blueprint.error_detail.as_deref()),
        };
        let outcome = classify::classify(&answer, &rules, cx.now()).map_err(|f| Failure {
            status: Some(response.status),
            ..fault::failure(&f, ask.name)
        })?;
        Ok((outcome, body))
    }

    /// An answer that was not accepted.
    async fn refused(&self, response: &Response, outcome: Outcome) -> Tried {
        let mut failure = Failure::new(outcome.code, outcome.message);
        failure.detail = outcome.detail;
        failure.status = Some(response.status);
        failure.maybe_executed = outcome.kind == OutcomeKind::Error
            && Fate::of(response.status) == Fate::Unknown
            && !is_safe(&self.tries.course.rendered().request.method);
        note::redact(self.held, &mut failure);
        let event = match outcome.kind {
            // What a host says that saw no credentials says nothing of the connection.
            OutcomeKind::Refresh | OutcomeKind::Reauthorize if self.tries.course.is_bare() => {
                failure.code = Code::ProviderError;
                Event::Final
            }
            OutcomeKind::Retry => Event::Transient(outcome.wait),
            OutcomeKind::RateLimited => Event::Rejected(outcome.wait),
            OutcomeKind::Refresh => Event::Refresh,
            OutcomeKind::Reauthorize => {
                self.cx.account().reject(&failure.message).await;
                Event::Final
            }
            OutcomeKind::Ok | OutcomeKind::Error => Event::Final,
        };
        Tried { event, failure }
    }
}

/// No answer.
fn lost(error: &crate::wire::Error, method: &Method) -> Tried {
    use crate::{diagnostic::Explain, wire::Error};
    let (code, event) = match error {
        Error::Connect { .. } => (Code::ProviderError, Event::NotSent),
        Error::Timeout { sent: false, .. } => (Code::Timeout, Event::NotSent),
        Error::Timeout { sent: true, .. } => (Code::Timeout, Event::Unknown),
        Error::Broken { .. } => (Code::ProviderError, Event::Unknown),
        Error::Blocked { .. } | Error::Refused { .. } | Error::TooLarge { .. } => {
            (Code::ProviderError, Event::Final)
        }
    };
    let mut failure = Failure::new(code, error.to_string());
    failure.hint = error.hint();
    failure.maybe_executed = matches!(error, Error::TooLarge { .. }) && !is_safe(method);
    Tried { event, failure }
}

/// The failure of a request whose accepted answer broke off on its way to somebody else.
pub fn broken_off(error: &crate::wire::Error, ask: &Ask<'_>) -> Failure {
    let method = &ask.rendered.request.method;
    let Tried { mut failure, .. } = lost(error, method);
    failure.maybe_executed = !is_safe(method);
    failure.step = Some(ask.name.to_owned());
    failure
}

fn situation(cx: &Context<'_>, ask: &Ask<'_>, tries: &Tries<'_>, event: Event) -> Situation {
    let method = &tries.course.rendered().request.method;
    let by_key = cx.blueprint().idempotency_header.is_some();
    let by_nature = is_idempotent(method) || by_key;
    // What the step says is of what it asks for, and not of where the answer to that is.
    let stated = ask.idempotent.filter(|_| *method == ask.rendered.request.method);
    Situation {
        attempt: tries.attempt,
        event,
        idempotent: stated.unwrap_or(by_nature),
        maybe_executed: tries.unknown && !is_safe(method),
        renewal: match cx.blueprint().auth.mode.can_refresh() {
            _ if tries.refreshed => Renewal::Done,
            true => Renewal::Possible,
            false => Renewal::Impossible,
        },
        waited: tries.waited,
        jitter: cx.services.limiter.jitter(),
    }
}

/// The failure that the last try leaves.
async fn end(
    cx: &Context<'_>,
    tried: Tried,
    maybe_executed: bool,
    retry_after: Option<Duration>,
) -> Failure {
    let Tried { event, mut failure } = tried;
    failure.maybe_executed |= maybe_executed;
    if let Some(wait) = retry_after {
        let at: Timestamp = cx.now().plus(wait);
        failure.retry_at = Some(at);
    }
    match event {
        // Refused again although the token is new, or nothing can be renewed: a person has to come.
        Event::Refresh => {
            cx.account().reject(&failure.message).await;
            failure.code = Code::Unauthorized;
        }
        Event::Rejected(_) => failure.code = Code::RateLimited,
        Event::NotSent | Event::Unknown | Event::Transient(_) | Event::Final => {}
    }
    failure
}

/// `limits.requests` of the action. Items run at once: the count goes up before anything is sent.
fn allowed(cx: &Context<'_>) -> Result<(), Failure> {
    let Some(most) = cx.max_requests else { return Ok(()) };
    let one_more = |begun| (begun < most).then_some(begun + 1);
    if cx.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
        return Ok(());
    }
    let message = format!("the action's limit of {most} requests is used up");
    Err(Failure::new(Code::RateLimited, message).with_hint("raise `limits.requests` in the action"))
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use serde_json::json;

    use crate::{
        clock::Clock,
        model::{failure::Code, record::RunStatus},
        run::rehearsal::{Rehearsal, answer},
    };

    const RETRY: &str = "retry: {attempts: 3, initial: 2s, max: 10s, budget: 1m}\n";
    const ONE: &str = "steps: [{id: a, get: /a}]\noutput: '{{steps.a.body.n}}'\n";
    const EACH: &str = "steps: [{id: a, each: '{{input.ids}}', concurrency: 8, get: '/a/{{item}}'}]\noutput: '{{length steps.a.outputs}}'\n";

    #[test]
    fn each_try_is_recorded_with_what_it_meant() {
        let mut statuses = [503, 500, 200].into_iter();
        let stage = Rehearsal::new(RETRY, ONE, move |_| {
            Ok(answer(statuses.next().unwrap(), &[], &json!({"n": 5})))
        });
        let result = stage.run("run_1", json!({}));
        assert_eq!(result.output.unwrap(), 5);
        let (record, attempts) = stage.recorded("run_1").unwrap();
        assert_eq!((record.status, record.attempts), (RunStatus::Succeeded, 3));
        let seen: Vec<_> = attempts.iter().map(|a| (a.attempt, a.status, a.outcome)).collect();
        assert_eq!(seen, [(1, Some(503), "retry"), (2, Some(500), "retry"), (3, Some(200), "ok")]);
        assert!(record.waited_ms > 0);
    }

    #[test]
    fn items_at_once_keep_the_most_requests_of_the_action() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let action = format!("limits: {{requests: 3}}\n{EACH}");
        let stage = Rehearsal::new("", &action, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(answer(200, &[], &json!({})))
        });
        let failure = stage.run("run_1", json!({"ids": [1, 2, 3, 4, 5, 6]})).output.unwrap_err();
        assert_eq!(failure.code, Code::RateLimited);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn wherever_a_run_is_dropped_its_record_says_what_was_sent() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let stage = Rehearsal::new(
            "limits: [{name: x, per: [connection], rate: 100/1s, concurrency: 1}]\n",
            EACH,
            move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(answer(200, &[], &json!({})))
            },
        );
        for polls in 1.. {
            let id = format!("run_{polls}");
            asked.store(0, Ordering::SeqCst);
            let ended = stage.stop(&id, json!({"ids": [1, 2]}), polls);
            if let Some((record, attempts)) = stage.recorded(&id) {
                let status = if ended { RunStatus::Succeeded } else { RunStatus::Cancelled };
                assert_eq!(record.status, status, "{polls}");
                assert!(attempts.len() >= asked.load(Ordering::SeqCst), "{polls}");
                let judged = attempts.iter().filter(|attempt| attempt.status.is_some());
                assert!(judged.clone().all(|attempt| attempt.outcome == "ok"), "{polls}");
            }
            // Its places are free again.
            let next = stage.run(&format!("next_{polls}"), json!({"ids": [1]}));
            assert_eq!(next.output.unwrap(), 1);
            if ended {
                assert!(polls > 1, "it was stopped somewhere");
                return;
            }
        }
    }

    #[test]
    fn a_rejection_without_a_time_holds_up_all_requests_of_its_limit() {
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&times);
        let clock = Arc::new(Mutex::new(None));
        let now = Arc::clone(&clock);
        let blueprint = format!("{RETRY}limits: [{{name: x, per: [connection], rate: 100/1s}}]\n");
        let stage = Rehearsal::new(&blueprint, EACH, move |_| {
            let clock: &crate::suite::VirtualClock = &now.lock().unwrap().clone().unwrap();
            let mut times = noted.lock().unwrap();
            times.push(clock.elapsed());
            let status = if times.len() == 1 { 429 } else { 200 };
            Ok(answer(status, &[], &json!({})))
        });
        *clock.lock().unwrap() = Some(stage.clock().clone());
        let failed = stage.run("run_1", json!({"ids": [1]}));
        assert_eq!(failed.output.unwrap(), 1);
        let times = times.lock().unwrap();
        assert!(times[1] >= times[0] + Duration::from_secs(1), "{times:?}");
    }
}
