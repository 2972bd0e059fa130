//! One request until an outcome stands: wait our turn, authorize, send, judge, note, decide.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    auth::{self, Held},
    model::{
        action::Step,
        failure::{Code, Failure},
        http::{Headers, Method, Response},
        rule::{Outcome, OutcomeKind},
        time::Timestamp,
    },
    policy::{
        classify::{self, Answer, Rules},
        plan::StepPlan,
        retry::{self, Decision, Event, Situation},
    },
    run::{
        cx::Cx,
        decode, fault,
        gate::{self, Gate, Pass},
        note::{self, Noted, UnderWay},
        request::Rendered,
    },
    template::{Scope, demand::Demand},
};

/// Which request of a run it is.
#[derive(Clone, Copy)]
pub struct Turn {
    /// Index of the item, within an `each`.
    pub item: Option<u64>,
    /// From 1.
    pub page: u32,
}

/// An accepted answer.
pub struct Settled {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: Headers,
    /// As far as anything reads it.
    pub body: Value,
}

/// A try that did not settle it.
struct Tried {
    event: Event,
    failure: Failure,
}

/// What is known of the tries so far.
#[derive(Default)]
struct Tries {
    attempt: u32,
    refreshed: bool,
    waited: Duration,
    /// A repeated DELETE that meets 404 has done its work.
    repeated: bool,
}

/// Tries until the answer is accepted or there is no point in going on.
pub async fn settle(
    cx: &Cx<'_>,
    (step, plan): (&Step, &StepPlan),
    (rendered, turn): (&Rendered, Turn),
    scope: &Scope<'_>,
) -> Result<Settled, Failure> {
    let in_step = |failure: Failure| Failure { step: Some(step.id.clone()), ..failure };
    let gate = Gate::new(cx, rendered).map_err(|f| fault::failure(&f, step))?;
    let mut tries = Tries::default();
    loop {
        tries.attempt += 1;
        allowed(cx).map_err(in_step)?;
        let (pass, held) = admit(cx, &gate).await.map_err(in_step)?;
        let one = one(cx, (step, plan), (rendered, turn, &tries), (scope, &held, &pass)).await;
        drop(pass);
        let tried = match one {
            Ok(settled) => return Ok(settled),
            Err(tried) => tried,
        };
        let situation = situation(cx, step, &tries, tried.event);
        match retry::decide(&cx.retry, &situation) {
            Decision::Again { wait, reason } => {
                tracing::debug!(step = step.id, attempt = tries.attempt, ?wait, reason, "again");
                tries.repeated = true;
                tries.waited += wait;
                cx.pause(wait, reason).await;
            }
            Decision::Renew => {
                tries.refreshed = true;
                cx.account().renew(&held).await.map_err(in_step)?;
            }
            Decision::Settle { maybe_executed, retry_after, reason } => {
                tracing::debug!(step = step.id, attempt = tries.attempt, reason, "given up");
                return Err(in_step(end(cx, tried, (maybe_executed, retry_after)).await));
            }
        }
    }
}

/// A place in all buckets, in use, and credentials. Places do not last while credentials are
/// refreshed; then others are taken.
async fn admit<'g>(cx: &Cx<'_>, gate: &'g Gate) -> Result<(Pass<'g>, Arc<Held>), Failure> {
    loop {
        let mut pass = gate::pass(cx, gate).await?;
        let held = cx.account().current().await?;
        if pass.start(cx.world.clock.boot()) {
            return Ok((pass, held));
        }
    }
}

/// One try.
async fn one(
    cx: &Cx<'_>,
    (step, plan): (&Step, &StepPlan),
    (rendered, turn, tries): (&Rendered, Turn, &Tries),
    (scope, held, pass): (&Scope<'_>, &Held, &Pass<'_>),
) -> Result<Settled, Tried> {
    let request = &rendered.request;
    let blueprint = cx.roots.blueprint(cx.now());
    let authorized = auth::authorize(request, cx.blueprint(), held, &blueprint)
        .map_err(|f| Tried { event: Event::Final, failure: fault::failure(&f, step) })?;
    let noted = Noted {
        step,
        turn: (turn.item, turn.page, tries.attempt),
        request,
        held,
        started: cx.now(),
        took: Duration::ZERO,
        waited: pass.waited(),
    };
    let mut under_way = UnderWay::new(cx, noted);
    let answer = cx.world.wire.send(&authorized).await;
    let noted = under_way.landed();
    let response = match answer {
        Ok(response) => response,
        Err(error) => {
            note::lost(cx, noted, &error);
            return Err(lost(&error, step.method));
        }
    };
    let judged = judge(cx, (step, plan), &response, scope);
    pass.learn(cx, &response, judged.as_ref().ok().map(|(outcome, _)| outcome)).await;
    let (outcome, body) = match judged {
        Ok(judged) => judged,
        Err(failure) => {
            note::answered(cx, noted, (&response, "error", Some(&failure.message)));
            return Err(Tried { event: Event::Final, failure });
        }
    };
    let done = outcome.kind == OutcomeKind::Ok
        || (tries.repeated && request.method == Method::Delete && response.status == 404);
    let message = (!done).then_some(outcome.message.as_str());
    note::answered(cx, noted, (&response, outcome.kind.as_str(), message));
    if done {
        let body = outcome.value.unwrap_or(body);
        return Ok(Settled { status: response.status, headers: response.headers, body });
    }
    Err(refused(cx, held, &response, outcome).await)
}

/// What the answer means, and its body.
fn judge(
    cx: &Cx<'_>,
    (step, plan): (&Step, &StepPlan),
    response: &Response,
    scope: &Scope<'_>,
) -> Result<(Outcome, Value), Failure> {
    // Failures are rare, and everything may be said about them.
    let success = (200..300).contains(&response.status);
    let demand = if success { &plan.body } else { &Demand::All };
    let body = decode::decode(response, step.accept, demand).map_err(|message| {
        let mut failure = Failure::new(Code::ProviderError, message);
        failure.status = Some(response.status);
        failure.maybe_executed = !step.method.is_safe();
        failure
    })?;
    let answer = Answer {
        status: response.status,
        headers: &response.headers,
        body: &body,
        scope: scope.clone(),
    };
    let blueprint = cx.blueprint();
    let rules = Rules {
        own: &step.rules,
        blueprint: &blueprint.rules,
        error_message: blueprint.error_message.as_deref(),
        error_detail: blueprint.error_detail.as_deref(),
    };
    let outcome = classify::classify(&answer, &rules, cx.now())
        .map_err(|f| Failure { status: Some(response.status), ..fault::failure(&f, step) })?;
    Ok((outcome, body))
}

/// An answer that was not accepted.
async fn refused(cx: &Cx<'_>, held: &Held, response: &Response, outcome: Outcome) -> Tried {
    let mut failure = Failure::new(outcome.code, outcome.message);
    failure.detail = outcome.detail;
    failure.status = Some(response.status);
    note::redact(held, &mut failure);
    let event = match outcome.kind {
        OutcomeKind::Retry => Event::Transient(outcome.wait),
        OutcomeKind::RateLimited => Event::Rejected(outcome.wait),
        OutcomeKind::Refresh => Event::Refresh,
        OutcomeKind::Reauthorize => {
            cx.account().reject(&failure.message).await;
            Event::Final
        }
        OutcomeKind::Ok | OutcomeKind::Error => Event::Final,
    };
    Tried { event, failure }
}

/// No answer.
fn lost(error: &crate::wire::Error, method: Method) -> Tried {
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
    failure.maybe_executed = matches!(error, Error::TooLarge { .. }) && !method.is_safe();
    Tried { event, failure }
}

fn situation(cx: &Cx<'_>, step: &Step, tries: &Tries, event: Event) -> Situation {
    let by_key = cx.blueprint().idempotency_header.is_some();
    Situation {
        attempt: tries.attempt,
        event,
        idempotent: step.idempotent.unwrap_or(step.method.is_idempotent() || by_key),
        refreshed: tries.refreshed,
        renewable: cx.blueprint().auth.mode.can_refresh(),
        waited: tries.waited,
        jitter: cx.world.limiter.jitter(),
    }
}

/// The failure that the last try leaves.
async fn end(
    cx: &Cx<'_>,
    Tried { event, mut failure }: Tried,
    (maybe_executed, retry_after): (bool, Option<Duration>),
) -> Failure {
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

/// `limits.requests` of the action.
fn allowed(cx: &Cx<'_>) -> Result<(), Failure> {
    match cx.invocation.action.action.max_requests {
        Some(most) if cx.journal.attempts() >= most => {
            let message = format!("the action's limit of {most} requests is used up");
            Err(Failure::new(Code::RateLimited, message)
                .with_hint("raise `limits.requests` in the action"))
        }
        Some(_) | None => Ok(()),
    }
}
