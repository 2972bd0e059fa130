//! What every part of one run needs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    auth::CredentialSource,
    model::{blueprint::Blueprint, name::ActionName, retry::RetryPolicy, time::Timestamp},
    run::{
        context::{Context, Invocation, Observer, Roots},
        note::Recorder,
        request::Base,
        result::Warning,
    },
};

/// One run, seen from its steps.
pub struct Cx<'a> {
    /// The world.
    pub world: &'a Context,
    /// What was asked.
    pub invocation: &'a Invocation,
    /// What templates see.
    pub roots: &'a Roots,
    /// What all requests share.
    pub base: &'a Base,
    /// The record.
    pub recorder: &'a Arc<Recorder>,
    /// Of the action, or `request`.
    pub name: ActionName,
    /// So many requests at most, if the action says so.
    pub max_requests: Option<u64>,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// The blueprint's, with `--wait`.
    pub retry: RetryPolicy,
    /// What the caller should know.
    pub warnings: Mutex<Vec<Warning>>,
}

impl Cx<'_> {
    /// The time.
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Waits, and says so.
    pub async fn pause(&self, span: Duration, reason: &str) {
        self.recorder.journal.waited(span);
        self.observer.waiting(reason, span);
        self.world.clock.sleep(span).await;
    }

    /// Tells the caller something that is no failure.
    pub fn warn(&self, warning: Warning) {
        tracing::warn!(run = self.invocation.id.as_str(), "{warning}");
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    /// The API's rules of behaviour.
    pub fn blueprint(&self) -> &Blueprint {
        &self.invocation.integration.blueprint
    }

    /// The credentials.
    pub fn account(&self) -> &Arc<dyn CredentialSource> {
        &self.invocation.account
    }
}
