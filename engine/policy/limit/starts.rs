//! A window shorter than a second: counted in this process alone.

use std::{collections::VecDeque, time::Duration};

use crate::model::limit::Rate;

/// `rate: N/D` holds for any window of D, so it remembers its last N starts.
#[derive(Debug)]
pub struct Starts {
    rate: Rate,
    /// Oldest first; with those reserved at most `rate.count`.
    last: VecDeque<Duration>,
    /// Places that were taken and have not started yet.
    reserved: u32,
}

impl Starts {
    /// An empty window.
    pub fn new(rate: Rate) -> Self {
        Self { rate, last: VecDeque::new(), reserved: 0 }
    }

    /// Reserves a start; how long there is none, if so.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        while self.last.front().is_some_and(|start| *start + self.rate.window <= now) {
            self.last.pop_front();
        }
        let taken = self.last.len() + usize::try_from(self.reserved).unwrap_or(usize::MAX);
        if taken < usize::try_from(self.rate.count).unwrap_or(usize::MAX) {
            self.reserved += 1;
            return Ok(());
        }
        // Those that are reserved start within moments, so that their window is the whole one.
        let oldest = self.last.front().copied().unwrap_or(now);
        Err((oldest + self.rate.window).saturating_sub(now))
    }

    /// A reserved start happens.
    pub fn start(&mut self, now: Duration) {
        self.reserved = self.reserved.saturating_sub(1);
        self.last.push_back(now);
    }

    /// A reserved start does not happen.
    pub fn untake(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// Whether forgetting it could break the limit.
    pub fn is_busy(&self, now: Duration) -> bool {
        self.reserved > 0 || self.last.back().is_some_and(|last| *last + self.rate.window > now)
    }
}
