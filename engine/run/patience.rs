//! How long a request waits for the limits of its API: until its run has got nothing else through
//! for as long as `retry.budget`, or `--wait`. A long fan-out goes on as long as it moves, however
//! many of its requests stand in line; a run that gets nowhere ends.

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};

use crate::run::context::Context;

/// The patience of one request.
pub struct Patience<'a> {
    cx: &'a Context<'a>,
    /// When the run was last seen to get on.
    since: Duration,
    seen: (u64, u64),
}

impl<'a> Patience<'a> {
    /// It begins to wait.
    pub fn new(cx: &'a Context<'_>) -> Self {
        Self { cx, since: cx.services.clock.elapsed(), seen: cx.progress.counts() }
    }

    /// How much of it is left.
    pub fn left(&mut self) -> Duration {
        let counts @ (begun, ended) = self.cx.progress.counts();
        let now = self.cx.services.clock.elapsed();
        if counts != self.seen || begun != ended {
            (self.since, self.seen) = (now, counts);
        }
        self.cx.retry.budget.saturating_sub(now.saturating_sub(self.since))
    }

    /// Waits for `work` as long as there is patience left.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let left = self.left();
            if left.is_zero() {
                return None;
            }
            match select(work, self.cx.services.clock.sleep(left)).await {
                Either::Left((done, _)) => return Some(done),
                Either::Right(((), rest)) => work = rest,
            }
        }
    }
}
