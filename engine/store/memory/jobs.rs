//! Idempotency keys.

use std::time::Duration;

use crate::{
    model::time::Timestamp,
    store::{
        memory::state::{Job, Memory, State},
        ports::{
            StoreFuture,
            jobs::{JobAsk, JobClaim, JobEnd, JobHeld, Jobs},
        },
    },
};

impl Jobs for Memory {
    fn claim(&self, ask: JobAsk) -> StoreFuture<'_, JobClaim> {
        self.at_once(move |state| {
            let now = self.clock.now();
            let JobAsk { key, body_hash, holder, term, keep, repeatable } = ask;
            let (claim, at) = match state.jobs.get(&key) {
                None => (1, now),
                Some(job) => {
                    let running = job.end.is_none() && now < job.until;
                    let over = job.at.plus(keep) <= now && !running;
                    match &job.end {
                        Some(JobEnd::Free) => (job.claim + 1, now),
                        _ if over => (job.claim + 1, now),
                        _ if job.body_hash != body_hash => return Ok(JobClaim::Conflict),
                        Some(JobEnd::Done(result)) => return Ok(JobClaim::Done(result.clone())),
                        None if running => return Ok(JobClaim::Running(job.holder.clone())),
                        None if !repeatable => {
                            return Ok(JobClaim::Interrupted(job.holder.clone()));
                        }
                        None | Some(JobEnd::Again) => (job.claim + 1, job.at),
                    }
                }
            };
            let (until, owner) = (now.plus(term), holder.clone());
            let job = Job { body_hash, claim, holder: owner, until, at, end: None };
            state.jobs.insert(key.clone(), job);
            Ok(JobClaim::Granted(JobHeld { key, claim, holder }))
        })
    }

    fn beat(&self, job: JobHeld, term: Duration) -> StoreFuture<'_, bool> {
        self.at_once(move |state| {
            let now = self.clock.now();
            let Some(stored) = held(state, &job).filter(|one| now < one.until) else {
                return Ok(false);
            };
            stored.until = now.plus(term);
            Ok(true)
        })
    }

    fn settle(&self, job: JobHeld, end: JobEnd) -> StoreFuture<'_, bool> {
        self.at_once(move |state| {
            let Some(stored) = held(state, &job) else { return Ok(false) };
            stored.end = Some(end);
            Ok(true)
        })
    }

    fn expire(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        self.at_once(move |state| {
            let (all, now) = (state.jobs.len(), self.clock.now());
            state.jobs.retain(|_, job| job.at >= before || (job.end.is_none() && now < job.until));
            Ok((all - state.jobs.len()) as u64)
        })
    }
}

/// A claim that still counts.
fn held<'a>(state: &'a mut State, held: &JobHeld) -> Option<&'a mut Job> {
    let job = state.jobs.get_mut(&held.key)?;
    (job.claim == held.claim && job.holder == held.holder && job.end.is_none()).then_some(job)
}
