//! Runs actions.
//!
//! ```text
//! Invocation ─ for each step ─ for each item ─ for each page
//!                                               render → limits → authorize → send → decode
//!                                               → classify → note → decide (again? renew? done)
//!            ─ output, checked against `returns` ─ Finished
//! ```

mod journal;
mod request;
mod bucket;
mod limiter;
mod context;
mod cx;
mod gate;
mod decode;
mod fault;
mod scopes;
mod key;
mod note;
mod attempt;
mod pages;
mod step;

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use futures_util::future::{Either, select};
use serde_json::{Map, Value};

pub use context::{Context, Invocation, Observer, Quiet, Roots};
pub use limiter::Limiter;
pub use request::{Base, render};

use crate::{
    auth,
    model::{
        action::Action,
        failure::{Code, Failure},
        record::{RunRecord, RunStatus},
        retry::RetryPolicy,
        time::{Timestamp, format_span},
    },
    run::{cx::Cx, journal::Journal},
    schema, store,
};

/// How a run ended.
pub struct Ended {
    /// As recorded.
    pub record: RunRecord,
    /// The output, or why there is none.
    pub result: Result<Value, Failure>,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// Runs an action from beginning to end. The error is the store's: then nothing has begun. A run
/// whose future is dropped is recorded as cancelled.
pub async fn run(
    world: &Context,
    invocation: &Invocation,
    observer: &dyn Observer,
) -> Result<Ended, store::Error> {
    let started = world.clock.now();
    let record = record(invocation, started);
    let journal = Journal::begin(world.store.clone(), Arc::clone(&world.clock), record).await?;
    let mut warnings = Vec::new();
    let mut result = within(world, invocation, (&journal, observer, &mut warnings), started).await;
    if let Err(failure) = &mut result {
        scopes::explain(failure, &invocation.action.action.scopes, invocation.granted.as_deref());
    }
    let record = journal.finish(&result).await;
    Ok(Ended { record, result, warnings })
}

/// The run under its time limit.
async fn within(
    world: &Context,
    invocation: &Invocation,
    (journal, observer, warnings): (&Journal, &dyn Observer, &mut Vec<String>),
    started: Timestamp,
) -> Result<Value, Failure> {
    let work = pin!(work(world, invocation, (journal, observer, warnings), started));
    let Some(limit) = invocation.action.action.timeout else { return work.await };
    match select(work, world.clock.sleep(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => {
            let message = format!("the action's time limit of {} is over", format_span(limit));
            let mut failure = Failure::new(Code::Timeout, message)
                .with_hint("raise `limits.timeout` in the action");
            failure.maybe_executed =
                invocation.action.action.effect != crate::model::action::Effect::Read;
            Err(failure)
        }
    }
}

/// The steps, then the output.
async fn work(
    world: &Context,
    invocation: &Invocation,
    (journal, observer, warnings): (&Journal, &dyn Observer, &mut Vec<String>),
    started: Timestamp,
) -> Result<Value, Failure> {
    let roots = Roots::new(invocation, started);
    let blueprint = &invocation.integration.blueprint;
    let base = base(world, invocation, &roots).await?;
    let retry = RetryPolicy {
        budget: invocation.wait.unwrap_or(blueprint.retry.budget),
        ..blueprint.retry
    };
    let cx = Cx {
        world,
        invocation,
        roots: &roots,
        base: &base,
        journal,
        observer,
        retry,
        warnings: Mutex::default(),
    };
    let result = steps(&cx).await;
    warnings.append(&mut cx.warnings.into_inner().unwrap_or_default());
    result
}

async fn steps(cx: &Cx<'_>) -> Result<Value, Failure> {
    let prepared = &cx.invocation.action;
    let mut steps = Value::Object(Map::new());
    for (step, plan) in prepared.steps() {
        let record = step::run(cx, (step, plan), &steps).await?;
        if let Some(map) = steps.as_object_mut() {
            map.insert(step.id.clone(), record);
        }
    }
    let scope = cx.roots.before_steps(cx.now());
    let output = prepared.output(steps, &scope).map_err(|f| fault::plain(&f))?;
    let output = output.unwrap_or(Value::Null);
    check(cx, &prepared.action, &output);
    Ok(output)
}

/// An output that breaks `returns` fails tests; in production it is delivered with a warning,
/// because the run has taken effect.
fn check(cx: &Cx<'_>, action: &Action, output: &Value) {
    let Some(returns) = &action.returns else { return };
    for violation in schema::check(returns, output).into_iter().take(5) {
        let place = violation.pointer.trim_start_matches('/').replace('/', ".");
        cx.warn(format!("the output does not match `returns`: `{place}` {}", violation.message));
    }
}

/// The base URL of the connection, or the sandbox's.
async fn base(world: &Context, invocation: &Invocation, roots: &Roots) -> Result<Base, Failure> {
    let blueprint = &invocation.integration.blueprint;
    let scope = roots.blueprint(world.clock.now());
    let url = match &invocation.base_url {
        Some(text) => url::Url::parse(text).map_err(|error| {
            Failure::new(Code::Internal, format!("`{text}` is no URL: {error}"))
        })?,
        None => {
            let held = invocation.account.current().await?;
            auth::base_url(blueprint, &held, &scope).map_err(|f| fault::plain(&f))?
        }
    };
    Base::new(blueprint, url, &scope).map_err(|f| fault::plain(&f))
}

/// The record of a run that begins.
fn record(invocation: &Invocation, started: Timestamp) -> RunRecord {
    RunRecord {
        id: invocation.id.clone(),
        integration: invocation.integration.name.clone(),
        action: invocation.action.action.name.clone(),
        connection: invocation.connection.clone(),
        sandbox: invocation.base_url.is_some(),
        status: RunStatus::Running,
        failure: None,
        started_at: started,
        finished_at: None,
        attempts: 0,
        waited_ms: 0,
    }
}
