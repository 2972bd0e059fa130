//! Runs actions.
//!
//! ```text
//! Invocation ─ for each step ─ for each item ─ for each page
//!                                               render → limits → authorize → send → decode
//!                                               → classify → note → decide (again? renew? done)
//!            ─ output, checked against `returns` ─ RunResult
//! ```

mod writes;
mod result;
mod fault;
mod scopes;
mod stop;
mod key;
mod bounds;
mod journal;
mod expand;
mod request;
mod bucket;
mod host;
mod limiter;
mod services;
mod invocation;
mod note;
mod progress;
mod context;
mod patience;
mod prepared;
mod course;
mod gate;
mod decode;
mod arrival;
mod exchange;
mod attempt;
mod rows;
mod resume;
mod pages;
mod step;
mod api;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value};

pub use api::Sink;
pub use expand::{is_wanted, items};
pub use invocation::{Claim, Invocation, Observer, Quiet, Roots, Terms};
pub use limiter::Limiter;
pub use request::{ApiRequest, Base, Renderer};
pub use result::{RequestKey, RunResult, Warning};
pub use services::Services;
pub use stop::Stop;
pub use writes::Repeat;

use crate::{
    model::{
        action::Action,
        failure::{Code, Failure},
        name::ActionName,
        record::{RunRecord, RunStatus},
        retry::RetryPolicy,
        run_limits::RunLimits,
        time::{Timestamp, format_span},
    },
    policy::plan::PreparedAction,
    run::{bounds::Bounds, context::Context, journal::Journal, note::Recorder, writes::Written},
    schema, store,
};

/// What a run does.
pub enum Task<'a> {
    /// An action, from its first step to its output.
    Action(&'a PreparedAction),
    /// One request, whose answer goes into the sink.
    Request(&'a ApiRequest, &'a mut dyn Sink),
}

impl<'a> Task<'a> {
    fn action(&self) -> Option<&'a Action> {
        match self {
            Self::Action(prepared) => Some(&prepared.action),
            Self::Request(..) => None,
        }
    }

    /// The key that its request has, unless the caller gave one.
    fn request_key(&self, invocation: &Invocation) -> Option<RequestKey> {
        let Self::Request(..) = self else { return None };
        let header = invocation.integration.blueprint.idempotency_header.clone()?;
        let key = invocation.idempotency(api::NAME, api::FIRST);
        Some(RequestKey { header, key })
    }

    fn limits(&self) -> RunLimits {
        self.action().map(|action| action.limits).unwrap_or_default()
    }

    fn name(&self) -> ActionName {
        self.action().map_or(ActionName::request(), |action| action.name.clone())
    }
}

/// Runs a task from beginning to end. The error is the store's: then nothing has begun. A run
/// whose future is dropped is recorded as cancelled.
pub async fn run(
    services: &Services,
    invocation: &Invocation,
    task: Task<'_>,
    observer: &dyn Observer,
) -> Result<RunResult, store::Error> {
    let started = services.clock.now();
    let record = record(invocation, task.name(), started);
    let journal =
        Journal::begin(services.store.clone(), Arc::clone(&services.clock), record).await?;
    let limits = invocation.terms.run_limits.over(invocation.integration.run_limits);
    let limits = limits.over(task.limits()).over(RunLimits::USUAL);
    let mut begun = Begun {
        services,
        invocation,
        journal: Arc::new(journal),
        observer,
        bounds: Arc::new(Bounds::new(limits)),
        warnings: Vec::new(),
        failed: 0,
    };
    let request_key = task.request_key(invocation);
    let scopes = task.action().map(|action| action.scopes.clone()).unwrap_or_default();
    let mut output = begun.within(task, limits.timeout).await;
    if let Err(failure) = &mut output {
        scopes::explain(failure, &scopes, invocation.granted.as_deref());
        begun.journal.describe(failure);
    }
    let record = begun.journal.finish(&output).await;
    let Written { executed, writes, maybe_executed, repeat } = begun.journal.written();
    let Begun { warnings, failed, .. } = begun;
    Ok(RunResult {
        record,
        output,
        warnings,
        failed,
        executed,
        writes,
        maybe_executed,
        repeat,
        request_key,
        stored: false,
    })
}

/// A run that is in the record.
struct Begun<'a> {
    services: &'a Services,
    invocation: &'a Invocation,
    journal: Arc<Journal>,
    observer: &'a dyn Observer,
    bounds: Arc<Bounds>,
    warnings: Vec<Warning>,
    failed: u64,
}

impl Begun<'_> {
    /// The work, until somebody stops it or its time is over.
    async fn within(&mut self, task: Task<'_>, limit: Option<Duration>) -> Result<Value, Failure> {
        let services = self.services;
        let over = async {
            match limit {
                Some(limit) => {
                    services.clock.sleep(limit).await;
                    limit
                }
                None => std::future::pending().await,
            }
        };
        let journal = Arc::clone(&self.journal);
        let cut = tokio::select! {
            biased;
            result = self.work(task) => return result,
            () = services.stop.asked() => Failure::new(Code::Cancelled, "stopped before its end"),
            limit = over => {
                let message = format!("the run's time limit of {} is over", format_span(limit));
                bounds::beyond(message, "timeout")
            }
        };
        Err(Failure { step: journal.current_step(), ..cut })
    }

    async fn work(&mut self, task: Task<'_>) -> Result<Value, Failure> {
        let Self { services, invocation, .. } = *self;
        let held = invocation.account.current().await?;
        let roots = Roots::new(invocation, &held, self.journal.started());
        let blueprint = &invocation.integration.blueprint;
        let scope = roots.blueprint(services.clock.now());
        let base = Arc::new(prepared::base(invocation, &held, &scope)?);
        let recorder = Arc::new(Recorder {
            clock: Arc::clone(&services.clock),
            journal: Arc::clone(&self.journal),
            integration: Arc::clone(&invocation.integration),
            keeps: services.store.is_some(),
        });
        let cx = Context {
            services,
            invocation,
            roots: &roots,
            base: &base,
            recorder: &recorder,
            name: task.name(),
            bounds: &self.bounds,
            failed: AtomicU64::new(0),
            progress: &Arc::default(),
            observer: self.observer,
            retry: RetryPolicy {
                budget: invocation.terms.wait.unwrap_or(blueprint.retry.budget),
                ..blueprint.retry
            },
            warnings: Mutex::default(),
        };
        let result = match task {
            Task::Action(prepared) => steps(&cx, prepared).await,
            Task::Request(request, sink) => api::run(&cx, request, sink).await,
        };
        self.failed = cx.failed.load(Ordering::Relaxed);
        self.warnings.append(&mut cx.warnings.into_inner().unwrap_or_default());
        result
    }
}

/// The steps, then the output.
async fn steps(cx: &Context<'_>, prepared: &PreparedAction) -> Result<Value, Failure> {
    let mut steps = Value::Object(Map::new());
    // What the records hold of answers counts until the output is made of them.
    let mut held = cx.bounds.nothing();
    for (step, plan) in prepared.steps() {
        cx.recorder.journal.step(&step.id);
        let record = step::run(cx, step, plan, &steps).await?;
        held.join(record.held);
        if let Some(map) = steps.as_object_mut() {
            map.insert(step.id.clone(), record.value);
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
fn check(cx: &Context<'_>, action: &Action, output: &Value) {
    let Some(returns) = &action.returns else { return };
    for violation in schema::check(returns, output).into_iter().take(5) {
        let place = violation.pointer.trim_start_matches('/').replace('/', ".");
        cx.warn(Warning::Returns { place, message: violation.message });
    }
}

/// The record of a run that begins.
fn record(invocation: &Invocation, action: ActionName, started: Timestamp) -> RunRecord {
    RunRecord {
        id: invocation.id.clone(),
        integration: invocation.integration.name.clone(),
        action,
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

#[cfg(test)]
mod rehearsal;
