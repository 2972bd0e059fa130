//! What one run is about.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    auth::CredentialSource,
    model::{
        blueprint::Integration,
        name::{ConnectionId, RunId},
        time::Timestamp,
    },
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
    /// Instead of the blueprint's retry budget: `--wait`.
    pub wait: Option<Duration>,
    /// Signs page tokens.
    pub token_key: [u8; 32],
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
    /// The roots of an invocation that starts at `now`.
    pub fn new(invocation: &Invocation, now: Timestamp) -> Self {
        Self {
            input: invocation.input.clone(),
            connection: invocation.values.clone(),
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
