//! The bounds of one run: what it has used of them, and what it holds.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::model::{
    failure::{Code, Failure},
    run_limits::{RunLimits, format_size},
};

/// See the module. All steps, elements and pages of a run share one.
#[derive(Debug)]
pub struct Bounds {
    limits: RunLimits,
    requests: AtomicU64,
    items: AtomicU64,
    /// Bytes of decoded answers.
    held: AtomicU64,
}

impl Bounds {
    /// Nothing is used yet.
    pub fn new(limits: RunLimits) -> Self {
        let (requests, items, held) = Default::default();
        Self { limits, requests, items, held }
    }

    /// One more request is about to be sent.
    pub fn request(&self) -> Result<(), Failure> {
        let Some(most) = self.limits.requests else { return Ok(()) };
        grow(&self.requests, 1, most).ok_or_else(|| {
            let message = format!("the run has made {most} requests, and may make no more");
            beyond(message, "requests")
        })
    }

    /// So many more rows were read.
    pub fn rows(&self, count: usize) -> Result<(), Failure> {
        let Some(most) = self.limits.items else { return Ok(()) };
        grow(&self.items, u64::try_from(count).unwrap_or(u64::MAX), most).ok_or_else(|| {
            beyond(format!("the run has read more than {most} rows from its pages"), "items")
        })
    }

    /// What holds nothing yet.
    pub fn nothing(self: &Arc<Self>) -> Held {
        Held { bounds: Arc::clone(self), bytes: 0 }
    }

    /// So many more bytes of decoded answers are held, until what this gives is dropped.
    pub fn hold(self: &Arc<Self>, bytes: u64) -> Result<Held, Failure> {
        let most = self.limits.bytes.unwrap_or(u64::MAX);
        grow(&self.held, bytes, most).ok_or_else(|| {
            let most = format_size(most);
            beyond(format!("the run holds more than {most} of answers at one time"), "bytes")
        })?;
        Ok(Held { bounds: Arc::clone(self), bytes })
    }
}

/// The failure of a run that went too far.
pub fn beyond(message: String, name: &str) -> Failure {
    Failure::new(Code::Limit, message).with_hint(format!(
        "raise it with `--run-limit {name}=…`, under `run_limits` of the entry, or under `limits` \
         of the action"
    ))
}

/// Steps and elements run at once: a count goes up before anything is done, or it does not.
fn grow(count: &AtomicU64, by: u64, most: u64) -> Option<()> {
    let more = |before: u64| before.checked_add(by).filter(|after| *after <= most);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(drop)
}

/// Bytes of answers that are held as long as this is.
#[derive(Debug)]
pub struct Held {
    bounds: Arc<Bounds>,
    bytes: u64,
}

impl Held {
    /// Only so much is left of it.
    pub fn shrink(&mut self, bytes: u64) {
        let gone = self.bytes.saturating_sub(bytes);
        self.bytes -= gone;
        self.bounds.held.fetch_sub(gone, Ordering::Relaxed);
    }

    /// What the other one stands for is held together with this.
    pub fn join(&mut self, mut other: Self) {
        self.bytes = self.bytes.saturating_add(std::mem::take(&mut other.bytes));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again_and_what_is_refused_is_not_counted() {
        let limits = RunLimits { bytes: Some(100), ..RunLimits::default() };
        let bounds = Arc::new(Bounds::new(limits));
        let mut first = bounds.hold(60).unwrap();
        assert_eq!(bounds.hold(41).unwrap_err().code, Code::Limit);
        first.shrink(30);
        first.shrink(50);
        let second = bounds.hold(70).unwrap();
        first.join(second);
        assert!(bounds.hold(1).is_err());
        drop(first);
        assert!(bounds.hold(100).is_ok());
    }

    #[test]
    fn requests_and_rows_are_counted_over_the_run() {
        let limits = RunLimits { requests: Some(2), items: Some(5), ..RunLimits::default() };
        let bounds = Bounds::new(limits);
        assert!(bounds.request().is_ok() && bounds.request().is_ok());
        assert!(bounds.request().unwrap_err().hint.unwrap().contains("--run-limit requests=…"));
        assert!(bounds.rows(5).is_ok() && bounds.rows(0).is_ok());
        assert_eq!(bounds.rows(1).unwrap_err().code, Code::Limit);
    }
}
