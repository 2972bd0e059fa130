//! What every part of one run needs, and every part of one execution of a step.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use crate::{
    auth::CredentialSource,
    model::{
        action::Step,
        blueprint::Blueprint,
        failure::{Code, Failure},
        name::ActionName,
        retry::RetryPolicy,
        time::Timestamp,
    },
    policy::plan::StepPlan,
    run::{
        bounds::Bounds,
        fault,
        invocation::{Invocation, Observer, Roots},
        note::Recorder,
        progress::Progress,
        request::Base,
        result::Warning,
        services::Services,
    },
    template::{Fault, Scope},
};

/// One run, seen from its steps.
pub struct Context<'a> {
    /// What all runs share.
    pub services: &'a Services,
    /// What was asked.
    pub invocation: &'a Invocation,
    /// What templates see.
    pub roots: &'a Roots,
    /// What all requests share.
    pub base: &'a Arc<Base>,
    /// The record.
    pub recorder: &'a Arc<Recorder>,
    /// Of the action, or `request`.
    pub name: ActionName,
    /// How far the run may go, and how far it is.
    pub bounds: &'a Arc<Bounds>,
    /// Elements whose failures did not end the run.
    pub failed: AtomicU64,
    /// How many requests have passed the limits, and how many of these have ended.
    pub progress: &'a Arc<Progress>,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// The blueprint's, with `--wait`.
    pub retry: RetryPolicy,
    /// What the caller should know.
    pub warnings: Mutex<Vec<Warning>>,
}

impl Context<'_> {
    /// The time.
    pub fn now(&self) -> Timestamp {
        self.services.clock.now()
    }

    /// Waits, and says so.
    pub async fn pause(&self, span: Duration, reason: &str) {
        self.recorder.journal.waited(span);
        self.observer.waiting(reason, span);
        self.services.clock.sleep(span).await;
    }

    /// Tells the caller something that is no failure; once, however many elements say it.
    pub fn warn(&self, warning: Warning) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            tracing::warn!(run = self.invocation.id.as_str(), "{warning}");
            warnings.push(warning);
        }
    }

    /// Whether the work of the caller's idempotency key is still this run's.
    pub fn claimed(&self) -> Result<(), Failure> {
        let boot = self.services.clock.boot();
        if self.invocation.claim.as_ref().is_none_or(|claim| claim.counts(boot)) {
            return Ok(());
        }
        let message = "this process stood still for too long: another may have taken over the work \
                       of its idempotency key";
        Err(Failure::new(Code::Cancelled, message))
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

/// One execution of a step: once, or for one item of its list.
pub struct Execution<'a> {
    /// The run.
    pub cx: &'a Context<'a>,
    /// The step.
    pub step: &'a Step,
    /// What is read of its answers.
    pub plan: &'a StepPlan,
    /// What its templates see.
    pub scope: Scope<'a>,
    /// Index of the item, within an `each`.
    pub item: Option<u64>,
}

impl Execution<'_> {
    /// A fault of one of its templates, as its failure.
    pub fn fault(&self, fault: &Fault) -> Failure {
        fault::failure(fault, &self.step.id)
    }

    /// The failure, as one of this step.
    pub fn failed(&self, failure: Failure) -> Failure {
        Failure { step: Some(self.step.id.clone()), ..failure }
    }
}
