//! What is known of a host: whether it answers, and how many of its requests were made again.
//!
//! After so many failures in a row its circuit opens: nothing is sent for a while, then one request
//! tries, and what becomes of that closes the circuit or opens it again. Of all requests of ten
//! seconds only a share may be repeated ones, so that many runs do not hold a host down that tries
//! to come up (as Linkerd's and Finagle's retry budgets).

use std::time::Duration;

use crate::model::retry::{CircuitPolicy, RetryPolicy};

/// Seconds of which requests are remembered.
const SECONDS: usize = 10;
/// The same as a number of seconds.
const SPAN: u64 = 10;

/// One host.
#[derive(Debug, Default)]
pub struct Health {
    /// In a row, without a success.
    failures: u32,
    circuit: Circuit,
    seconds: [Second; SECONDS],
}

#[derive(Debug, Default)]
enum Circuit {
    #[default]
    Closed,
    /// Nothing is sent before.
    Open(Duration),
    /// One request tries, since then.
    Trying(Duration),
}

/// What was sent within one second.
#[derive(Debug, Default, Clone, Copy)]
struct Second {
    at: u64,
    first: u32,
    repeated: u32,
}

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It may.
    Go,
    /// It is the one that tries whether the host is back.
    Try,
    /// Not before so long.
    Wait(Duration),
}

impl Health {
    /// Asked right before a request is sent.
    pub fn enter(&mut self, policy: CircuitPolicy, now: Duration) -> Entry {
        match self.peek(policy, now) {
            Some(wait) => Entry::Wait(wait),
            None if matches!(self.circuit, Circuit::Closed) => Entry::Go,
            None => {
                self.circuit = Circuit::Trying(now);
                Entry::Try
            }
        }
    }

    /// For how long nothing may be sent, if so.
    pub fn peek(&self, policy: CircuitPolicy, now: Duration) -> Option<Duration> {
        let until = match self.circuit {
            Circuit::Closed => return None,
            Circuit::Open(until) => until,
            // One that tries and does not come back makes room for another.
            Circuit::Trying(since) => since + policy.open.max(Duration::from_millis(1)),
        };
        Some(until.saturating_sub(now)).filter(|wait| !wait.is_zero())
    }

    /// The host answered. Whether this closes its circuit.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        !matches!(std::mem::take(&mut self.circuit), Circuit::Closed)
    }

    /// It did not, or said that it cannot. Whether the circuit is open because of it.
    pub fn failed(&mut self, policy: CircuitPolicy, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        let many = policy.failures > 0 && self.failures >= policy.failures;
        match self.circuit {
            Circuit::Closed if !many => false,
            // Those that were sent before it opened come back one after the other.
            Circuit::Open(until) if until > now => false,
            Circuit::Closed | Circuit::Open(_) | Circuit::Trying(_) => {
                self.circuit = Circuit::Open(now + policy.open);
                true
            }
        }
    }

    /// The request that tried was not sent, or nobody waits for its answer any more: another may.
    pub fn let_go(&mut self) {
        if let Circuit::Trying(_) = self.circuit {
            self.circuit = Circuit::Open(Duration::ZERO);
        }
    }

    /// Counts a request that is sent for the first time.
    pub fn count(&mut self, now: Duration) {
        if let Some(second) = self.second(now) {
            second.first = second.first.saturating_add(1);
        }
    }

    /// Counts one that will be repeated.
    pub fn repeat(&mut self, now: Duration) {
        if let Some(second) = self.second(now) {
            second.repeated = second.repeated.saturating_add(1);
        }
    }

    fn second(&mut self, now: Duration) -> Option<&mut Second> {
        let at = now.as_secs();
        let second = self.seconds.get_mut(usize::try_from(at % SPAN).unwrap_or_default())?;
        if second.at != at {
            *second = Second { at, ..Second::default() };
        }
        Some(second)
    }

    /// Whether one more of them may be a repeated one.
    pub fn spares(&self, policy: &RetryPolicy, now: Duration) -> bool {
        let recent = |second: &&Second| second.at + SPAN > now.as_secs();
        let (first, repeated) = self.seconds.iter().filter(recent).fold((0, 0), |sum, second| {
            (sum.0 + u64::from(second.first), sum.1 + u64::from(second.repeated))
        });
        let share = first * u64::from(policy.share) / 100;
        let window = policy.floor.window.as_nanos().max(1);
        let floor = u128::from(policy.floor.count) * u128::from(SPAN) * 1_000_000_000 / window;
        u128::from(repeated) < u128::from(share) + floor
    }

    /// Whether forgetting it changes nothing that matters.
    pub fn is_idle(&self, now: Duration) -> bool {
        matches!(self.circuit, Circuit::Closed)
            && self.failures == 0
            && self.seconds.iter().all(|second| second.at + SPAN <= now.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limit::Rate;

    const S: Duration = Duration::from_secs(1);
    const POLICY: CircuitPolicy = CircuitPolicy { failures: 3, open: Duration::from_secs(10) };

    /// A host whose circuit opened at 100 s.
    fn open() -> Health {
        let mut host = Health::default();
        for failure in 1..=3 {
            assert_eq!(host.enter(POLICY, 100 * S), Entry::Go);
            assert_eq!(host.failed(POLICY, 100 * S), failure == 3);
        }
        host
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut host = Health::default();
        for _ in 0..10 {
            assert!(!host.failed(POLICY, S) && !host.failed(POLICY, S));
            assert!(!host.succeeded());
        }
        assert_eq!(host.enter(POLICY, S), Entry::Go);
        assert_eq!(open().enter(POLICY, 104 * S), Entry::Wait(6 * S));
        let never = CircuitPolicy { failures: 0, ..POLICY };
        assert!(!(0..100).any(|_| host.failed(never, S)), "0 keeps it closed");
    }

    #[test]
    fn one_request_tries_and_what_becomes_of_it_counts() {
        let mut host = open();
        assert_eq!(host.enter(POLICY, 110 * S), Entry::Try);
        assert_eq!(host.enter(POLICY, 111 * S), Entry::Wait(9 * S), "one at a time");
        assert!(host.failed(POLICY, 112 * S));
        assert_eq!(host.enter(POLICY, 113 * S), Entry::Wait(9 * S));
        assert_eq!(host.enter(POLICY, 122 * S), Entry::Try);
        assert!(host.succeeded());
        assert_eq!(host.enter(POLICY, 122 * S), Entry::Go);
        assert!(!host.failed(POLICY, 123 * S), "it begins anew");
    }

    #[test]
    fn who_tries_and_goes_away_leaves_it_to_the_next() {
        let mut host = open();
        assert_eq!(host.enter(POLICY, 110 * S), Entry::Try);
        host.let_go();
        assert_eq!(host.enter(POLICY, 111 * S), Entry::Try);
        assert_eq!(host.enter(POLICY, 122 * S), Entry::Try, "its answer is overdue");
    }

    #[test]
    fn late_failures_do_not_keep_it_open_for_longer_and_a_late_success_closes_it() {
        let mut host = open();
        assert!(!host.failed(POLICY, 105 * S));
        assert_eq!(host.peek(POLICY, 105 * S), Some(5 * S));
        assert!(host.succeeded());
        assert_eq!(host.peek(POLICY, 105 * S), None);
    }

    #[test]
    fn of_ten_seconds_a_share_may_be_repeated_and_a_few_always() {
        let floor = Rate { count: 1, window: S };
        let policy = RetryPolicy { share: 20, floor, ..RetryPolicy::default() };
        let mut host = Health::default();
        let mut repeats = |now: Duration, most: u32| {
            (0..most)
                .take_while(|_| {
                    let may = host.spares(&policy, now);
                    if may {
                        host.repeat(now);
                    }
                    may
                })
                .count()
        };
        assert_eq!(repeats(S, 100), 10);
        assert_eq!(repeats(5 * S, 100), 0);
        assert_eq!(repeats(11 * S, 100), 10, "they are forgotten");
        let mut busy = Health::default();
        (0..100).for_each(|_| busy.count(S));
        let spared = (0..100).take_while(|_| {
            let may = busy.spares(&policy, S);
            busy.repeat(S);
            may
        });
        assert_eq!(spared.count(), 30);
        assert!(!busy.is_idle(S) && busy.is_idle(12 * S));
    }
}
