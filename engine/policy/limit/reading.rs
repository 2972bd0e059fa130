//! One reading of a row, which ties the store's clock to the boot clock of a process.

use std::time::Duration;

use crate::model::time::Timestamp;

/// The store's time, which was taken between two moments of the boot clock. Every conversion errs
/// to the safe side: cells begin late and end early.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The store's time.
    pub now: Timestamp,
    /// The boot clock before the row was asked for.
    pub before: Duration,
    /// The boot clock after it came.
    pub after: Duration,
}

impl Reading {
    /// By this moment the store's time has certainly reached `time`.
    pub fn surely_at(&self, time: Timestamp) -> Duration {
        shifted(self.after, self.now, time)
    }

    /// Until this moment the store's time has certainly not passed `time`.
    pub fn surely_before(&self, time: Timestamp) -> Duration {
        shifted(self.before, self.now, time)
    }

    /// The store's time at a moment, or a little more.
    pub fn at_most(&self, moment: Duration) -> Timestamp {
        let ahead = moment.saturating_sub(self.before).as_nanos().div_ceil(1_000_000);
        let behind = self.before.saturating_sub(moment).as_millis();
        let ms = |span: u128| i64::try_from(span).unwrap_or(i64::MAX);
        Timestamp(self.now.0.saturating_add(ms(ahead)).saturating_sub(ms(behind)))
    }
}

/// `moment`, moved by as much as `to` is later than `from`.
fn shifted(moment: Duration, from: Timestamp, to: Timestamp) -> Duration {
    moment.saturating_add(to.since(from)).saturating_sub(from.since(to))
}
