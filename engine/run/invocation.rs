//! What one run is about.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;

use crate::{
    auth::{CredentialSource, OpenCredentials},
    model::{
        blueprint::Integration,
        name::{ConnectionId, RunId},
        run_limits::RunLimits,
        time::Timestamp,
    },
    run::{key, writes::Turn},
    template::Scope,
};

/// An accepted call: nothing of it can be refused any more, it can only fail.
pub struct Invocation {
    /// The run's id.
    pub id: RunId,
    /// Ours.
    pub integration: Arc<Integration>,
    /// The connection's id.
    pub connection: ConnectionId,
    /// The root `connection`.
    pub values: Value,
    /// The scopes that the connection was granted, if anybody knows.
    pub granted: Option<Vec<String>>,
    /// The connection's credentials.
    pub account: Arc<dyn CredentialSource>,
    /// Validated, defaults filled in.
    pub input: Value,
    /// Instead of the blueprint's base URL: the sandbox.
    pub base_url: Option<String>,
    /// What the caller says about it.
    pub terms: Terms,
    /// Of the work of its idempotency key.
    pub claim: Option<Arc<Claim>>,
    /// Signs page tokens.
    pub token_key: [u8; 32],
}

impl Invocation {
    /// The key under which the API is to know a request: the same whenever this work is repeated.
    pub fn idempotency(&self, step: &str, turn: Turn) -> String {
        key::idempotency(self.key(), step, turn)
    }

    /// The caller's idempotency key; else the run's id, so that a caller can still repeat it.
    pub fn key(&self) -> &str {
        self.terms.idempotency_key.as_deref().unwrap_or(&self.id)
    }
}

/// What a caller says about a run, beside what it is to do.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Instead of the blueprint's retry budget: `--wait`.
    pub wait: Option<Duration>,
    /// Over those of the entry and the action.
    pub run_limits: RunLimits,
    /// The same work is done once under it.
    pub idempotency_key: Option<String>,
}

/// Until when the work of an idempotency key is ours, on the boot clock. What holds it on in the
/// store prolongs it; a process that stood still finds that it is over, and sends nothing more.
#[derive(Debug)]
pub struct Claim(Mutex<Duration>);

impl Claim {
    /// Until then.
    pub fn new(until: Duration) -> Self {
        Self(Mutex::new(until))
    }

    /// Until then, from here on.
    pub fn set(&self, until: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether it still is.
    pub fn counts(&self, boot: Duration) -> bool {
        boot < *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Told what happens, while it happens.
pub trait Observer: Sync {
    /// `done` of `total` items of a step.
    fn progress(&self, step: &str, done: u64, total: Option<u64>);
    /// The run waits.
    fn waiting(&self, reason: &str, span: Duration);
}

/// Tells nobody.
#[derive(Debug)]
pub struct Quiet;

impl Observer for Quiet {
    fn progress(&self, _step: &str, _done: u64, _total: Option<u64>) {}
    fn waiting(&self, _reason: &str, _span: Duration) {}
}

/// The roots that all templates of a run see.
pub struct Roots {
    /// `input`
    pub input: Value,
    /// `connection`
    pub connection: Value,
    /// `integration`
    pub integration: Value,
    /// `run`
    pub run: Value,
}

impl Roots {
    /// The roots of an invocation that starts at `now`, with these credentials.
    pub fn new(invocation: &Invocation, held: &OpenCredentials, now: Timestamp) -> Self {
        // They may have been refreshed since it was accepted.
        let connection = held.connection().map_or(&invocation.values, |values| values);
        Self {
            input: invocation.input.clone(),
            connection: connection.clone(),
            integration: invocation.integration.root(),
            run: serde_json::json!({"id": invocation.id, "started_at": now.to_string()}),
        }
    }

    /// What blueprints may see: everything but `input`.
    pub fn blueprint(&self, now: Timestamp) -> Scope<'_> {
        Scope::new(now)
            .with("connection", &self.connection)
            .with("integration", &self.integration)
            .with("run", &self.run)
    }

    /// What actions may see.
    pub fn action<'a>(&'a self, now: Timestamp, steps: &'a Value) -> Scope<'a> {
        self.before_steps(now).with("steps", steps)
    }

    /// What actions may see, but for what their steps came to.
    pub fn before_steps(&self, now: Timestamp) -> Scope<'_> {
        self.blueprint(now).with("input", &self.input)
    }
}
