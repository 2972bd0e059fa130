//! Runs actions.
//!
//! ```text
//! Invocation ─ for each step ─ for each item ─ for each page
//!                                               render → limits → authorize → send → decode
//!                                               → classify → note → decide (again? renew? done)
//!            ─ output, checked against `returns` ─ RunResult
//! ```

mod result;
mod fault;
mod scopes;
mod stop;
mod writes;
mod journal;
mod expand;
mod request;
mod bucket;
mod host;
mod limiter;
mod services;
mod invocation;
mod note;
mod key;
mod progress;
mod context;
mod patience;
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
use std::sync::{Arc, Mutex, atomic::AtomicU64};

use serde_json::{Map, Value};

pub use api::Sink;
pub use expand::{is_wanted, items};
pub use invocation::{Invocation, Observer, Quiet, Roots};
pub use limiter::Limiter;
pub use request::{ApiRequest, Base, Renderer};
pub use result::{RunResult, Warning};
pub use services::Services;
pub use stop::Stop;

use crate::{
    auth,
    model::{
        action::Action,
        failure::{Code, Failure},
        name::ActionName,
        record::{RunRecord, RunStatus},
        retry::RetryPolicy,
        time::{Timestamp, format_span},
    },
    policy::plan::PreparedAction,
    run::{context::Context, journal::Journal, note::Recorder},
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
    let mut begun =
        Begun { services, invocation, journal: Arc::new(journal), observer, warnings: Vec::new() };
    let scopes = task.action().map(|action| action.scopes.clone()).unwrap_or_default();
    let mut output = begun.within(task, started).await;
    if let Err(failure) = &mut output {
        scopes::explain(failure, &scopes, invocation.granted.as_deref());
        begun.journal.describe(failure);
    }
    let record = begun.journal.finish(&output).await;
    Ok(RunResult { record, output, warnings: begun.warnings })
}

/// A run that is in the record.
struct Begun<'a> {
    services: &'a Services,
    invocation: &'a Invocation,
    journal: Arc<Journal>,
    observer: &'a dyn Observer,
    warnings: Vec<Warning>,
}

impl Begun<'_> {
    /// The work, until somebody stops it or its time is over.
    async fn within(&mut self, task: Task<'_>, started: Timestamp) -> Result<Value, Failure> {
        let limit = task.action().and_then(|action| action.timeout);
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
        tokio::select! {
            biased;
            result = self.work(task, started) => result,
            () = services.stop.asked() => {
                Err(Failure::new(Code::Cancelled, "stopped before its end"))
            }
            limit = over => {
                let message = format!("the action's time limit of {} is over", format_span(limit));
                Err(Failure::new(Code::Timeout, message)
                    .with_hint("raise `limits.timeout` in the action"))
            }
        }
    }

    async fn work(&mut self, task: Task<'_>, started: Timestamp) -> Result<Value, Failure> {
        let Self { services, invocation, .. } = *self;
        let roots = Roots::new(invocation, started);
        let blueprint = &invocation.integration.blueprint;
        let base = Arc::new(base(services, invocation, &roots).await?);
        let recorder = Arc::new(Recorder {
            clock: Arc::clone(&services.clock),
            journal: Arc::clone(&self.journal),
            integration: Arc::clone(&invocation.integration),
            base: Arc::clone(&base),
            keeps: services.store.is_some(),
        });
        let cx = Context {
            services,
            invocation,
            roots: &roots,
            base: &base,
            recorder: &recorder,
            name: task.name(),
            max_requests: task.action().and_then(|action| action.max_requests),
            requests: AtomicU64::new(0),
            progress: &Arc::default(),
            observer: self.observer,
            retry: RetryPolicy {
                budget: invocation.wait.unwrap_or(blueprint.retry.budget),
                ..blueprint.retry
            },
            warnings: Mutex::default(),
        };
        let result = match task {
            Task::Action(prepared) => steps(&cx, prepared).await,
            Task::Request(request, sink) => api::run(&cx, request, sink).await,
        };
        self.warnings.append(&mut cx.warnings.into_inner().unwrap_or_default());
        result
    }
}

/// The steps, then the output.
async fn steps(cx: &Context<'_>, prepared: &PreparedAction) -> Result<Value, Failure> {
    let mut steps = Value::Object(Map::new());
    for (step, plan) in prepared.steps() {
        let record = step::run(cx, step, plan, &steps).await?;
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
fn check(cx: &Context<'_>, action: &Action, output: &Value) {
    let Some(returns) = &action.returns else { return };
    for violation in schema::check(returns, output).into_iter().take(5) {
        let place = violation.pointer.trim_start_matches('/').replace('/', ".");
        cx.warn(Warning::Returns { place, message: violation.message });
    }
}

/// The base URL of the connection, or the sandbox's.
async fn base(
    services: &Services,
    invocation: &Invocation,
    roots: &Roots,
) -> Result<Base, Failure> {
    let blueprint = &invocation.integration.blueprint;
    let scope = roots.blueprint(services.clock.now());
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
