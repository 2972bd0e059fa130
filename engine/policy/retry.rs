//! Again, or not: a table of what happened × whether the request may be repeated.

use std::time::Duration;

use crate::model::retry::RetryPolicy;

/// What a try came to, if it was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Name resolution, connecting or TLS failed: nothing was sent.
    NotSent,
    /// Rejected, not executed; with the wait that was asked for.
    Rejected(Option<Duration>),
    /// Sent, and no whole answer came: nobody knows.
    Unknown,
    /// The API failed and says it is temporary; whether it acted is unknown.
    Transient(Option<Duration>),
    /// The credentials were refused.
    Refresh,
    /// Too many requests to its host failed: for so long nothing is sent.
    Closed(Duration),
    /// Trying again would not change it.
    Final,
}

/// Whether credentials can be renewed for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// They can.
    Possible,
    /// They were, already.
    Done,
    /// They cannot.
    Impossible,
}

/// Whether the body of a request can be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resend {
    /// It is there.
    Possible,
    /// It was handed on as it came.
    Impossible,
}

/// Everything that the decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Which try it was, from 1.
    pub attempt: u32,
    /// What happened.
    pub event: Event,
    /// Whether repeating is safe: by method, by the step's word, or by an idempotency key.
    pub idempotent: bool,
    /// Whether its body is there to be sent once more.
    pub resend: Resend,
    /// Whether it changes anything, and a try, this one included, may have been carried out.
    pub maybe_executed: bool,
    /// How often the request was made again because its token was issued a moment ago; `None` if it
    /// is not new.
    pub too_soon: Option<usize>,
    /// Whether the credentials can be renewed for it.
    pub renewal: Renewal,
    /// Since it was first sent.
    pub elapsed: Duration,
    /// Whether the share of repeated requests allows one more to its host.
    pub spared: bool,
    /// Between 0 and 1.
    pub jitter: f64,
}

/// What to do; each with its reason, for the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// It stays as it is.
    Settle {
        /// The request may have taken effect.
        maybe_executed: bool,
        /// When it makes sense to come again.
        retry_after: Option<Duration>,
        /// Why.
        reason: &'static str,
    },
    /// Once more, after a wait.
    Again {
        /// How long.
        wait: Duration,
        /// Why.
        reason: &'static str,
    },
    /// Get new credentials, then once more, if its body can be sent again.
    Renew,
}

/// Before a request is made again that was refused with a new token: it may not be known everywhere
/// yet. Whatever the method: what is refused for its credentials is not executed.
const TOO_SOON: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

const NOT_KEPT: &str = "its body was sent as it came, and was not kept";

/// Decides. Back-off doubles, half of it by chance, so that no try follows at once; a wait that the
/// API asks for is never undercut.
pub fn decide(policy: &RetryPolicy, situation: &Situation) -> Decision {
    // However the last try ended: an earlier one may have done it.
    let maybe_executed = situation.maybe_executed;
    let settle = |reason| Decision::Settle { maybe_executed, retry_after: None, reason };
    let unsafe_to_repeat = !situation.idempotent;
    let (asked, reason) = match situation.event {
        Event::Final => return settle("trying again would not change it"),
        Event::Refresh => {
            let left = policy.budget.saturating_sub(situation.elapsed);
            let wait = situation.too_soon.and_then(|times| TOO_SOON.get(times));
            if wait.is_some() && situation.resend == Resend::Impossible {
                return settle(NOT_KEPT);
            }
            if let Some(wait) = wait.filter(|wait| **wait <= left) {
                let reason = "the token is new, and may not be known everywhere yet";
                return Decision::Again { wait: *wait, reason };
            }
            return match situation.renewal {
                Renewal::Possible => Decision::Renew,
                Renewal::Done => settle("refused again with new credentials"),
                Renewal::Impossible => settle("the credentials cannot be renewed"),
            };
        }
        Event::Unknown if unsafe_to_repeat => {
            return settle("its fate is unknown, and repeating it could do it twice");
        }
        Event::Transient(_) if unsafe_to_repeat => {
            return settle("the API failed, and repeating it could do it twice");
        }
        // Who begins now need not stand there: the host does not answer those who tried before.
        Event::Closed(wait) if situation.attempt == 1 => {
            let retry_after = Some(wait);
            let reason = "nothing is sent to this host for a while";
            return Decision::Settle { maybe_executed, retry_after, reason };
        }
        Event::Closed(wait) => (Some(wait), "too many requests to this host failed in a row"),
        Event::NotSent => (None, "nothing was sent"),
        Event::Rejected(asked) => (asked, "the API said to slow down"),
        Event::Unknown => (None, "no whole answer came"),
        Event::Transient(asked) => (asked, "the API failed for now"),
    };
    let told = matches!(situation.event, Event::Rejected(_) | Event::Closed(_));
    let over = [
        (situation.resend == Resend::Impossible).then_some(NOT_KEPT),
        (situation.attempt >= policy.attempts).then_some("all tries are used up"),
    ];
    if let Some(reason) = over.into_iter().flatten().next() {
        let retry_after = asked.filter(|_| told);
        return Decision::Settle { maybe_executed, retry_after, reason };
    }
    if is_failure(situation.event) && !situation.spared {
        return settle("too many of the requests to this host are repeated ones");
    }
    let wait = asked.unwrap_or_else(|| back_off(policy, situation.attempt, situation.jitter));
    if wait > policy.budget.saturating_sub(situation.elapsed) {
        let retry_after = Some(wait);
        return Decision::Settle {
            maybe_executed,
            retry_after,
            reason: "the wait is longer than the retry budget",
        };
    }
    Decision::Again { wait, reason }
}

/// Whether the host failed: who was told to wait does not press on it.
pub const fn is_failure(event: Event) -> bool {
    matches!(event, Event::NotSent | Event::Unknown | Event::Transient(_))
}

/// `initial` doubled with each try, at most `max`; half of it, and the other half times the jitter.
pub fn back_off(policy: &RetryPolicy, attempt: u32, jitter: f64) -> Duration {
    let doubled = policy.initial.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(policy.max).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn situation(event: Event) -> Situation {
        Situation {
            attempt: 1,
            event,
            idempotent: true,
            resend: Resend::Possible,
            maybe_executed: false,
            too_soon: None,
            renewal: Renewal::Possible,
            elapsed: Duration::ZERO,
            spared: true,
            jitter: 1.0,
        }
    }

    fn end(decision: Decision) -> Option<(bool, Option<Duration>)> {
        match decision {
            Decision::Settle { maybe_executed, retry_after, .. } => {
                Some((maybe_executed, retry_after))
            }
            Decision::Again { .. } | Decision::Renew => None,
        }
    }

    #[test]
    fn the_table_of_the_format() {
        let policy = RetryPolicy::default();
        for (event, idempotent, expected) in [
            (Event::NotSent, true, None),
            (Event::NotSent, false, None),
            (Event::Rejected(None), true, None),
            (Event::Rejected(Some(S)), false, None),
            (Event::Unknown, true, None),
            (Event::Unknown, false, Some((true, None))),
            (Event::Transient(None), true, None),
            (Event::Transient(None), false, Some((true, None))),
            (Event::Final, true, Some((false, None))),
            (Event::Final, false, Some((false, None))),
        ] {
            let maybe_executed = matches!(event, Event::Unknown | Event::Transient(_));
            let situation = Situation { idempotent, maybe_executed, ..situation(event) };
            let decision = decide(&policy, &situation);
            assert_eq!(end(decision), expected, "{event:?} {idempotent}");
        }
    }

    #[test]
    fn what_may_have_been_done_is_said_however_it_ends() {
        let policy = RetryPolicy::default();
        for (maybe_executed, event, attempt) in [
            (true, Event::Unknown, 5),
            (true, Event::Final, 2),
            (true, Event::NotSent, 5),
            (true, Event::Rejected(None), 5),
            (false, Event::NotSent, 5),
            (false, Event::Unknown, 5),
        ] {
            let situation = Situation { attempt, maybe_executed, ..situation(event) };
            let ended = end(decide(&policy, &situation));
            assert_eq!(ended, Some((maybe_executed, None)), "{event:?}");
        }
    }

    #[test]
    fn credentials_are_renewed_once() {
        let policy = RetryPolicy::default();
        assert_eq!(decide(&policy, &situation(Event::Refresh)), Decision::Renew);
        let again = Situation { renewal: Renewal::Done, ..situation(Event::Refresh) };
        assert!(end(decide(&policy, &again)).is_some());
        let fixed = Situation { renewal: Renewal::Impossible, ..situation(Event::Refresh) };
        assert!(end(decide(&policy, &fixed)).is_some());
    }

    #[test]
    fn a_closed_host_lets_those_go_on_who_have_begun_and_no_others() {
        let policy = RetryPolicy::default();
        let closed = situation(Event::Closed(7 * S));
        assert_eq!(end(decide(&policy, &closed)), Some((false, Some(7 * S))));
        let begun = Situation { attempt: 2, ..closed };
        assert!(matches!(decide(&policy, &begun), Decision::Again { wait, .. } if wait == 7 * S));
        let last = Situation { attempt: 5, maybe_executed: true, ..closed };
        assert_eq!(end(decide(&policy, &last)), Some((true, Some(7 * S))));
    }

    #[test]
    fn what_failed_is_repeated_within_the_share_and_what_was_rejected_in_any_case() {
        let policy = RetryPolicy::default();
        for (event, repeated) in [
            (Event::Transient(None), false),
            (Event::NotSent, false),
            (Event::Unknown, false),
            (Event::Rejected(None), true),
        ] {
            let situation = Situation { spared: false, ..situation(event) };
            assert_eq!(end(decide(&policy, &situation)).is_none(), repeated, "{event:?}");
        }
    }

    #[test]
    fn a_new_token_is_given_a_moment_before_anything_is_renewed() {
        let policy = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let new = Situation { too_soon: Some(0), idempotent: false, ..situation(Event::Refresh) };
        for (too_soon, seconds) in [(0, 1), (1, 2), (2, 4)] {
            for renewal in [Renewal::Possible, Renewal::Done, Renewal::Impossible] {
                let decision =
                    decide(&policy, &Situation { too_soon: Some(too_soon), renewal, ..new });
                let waits = |wait| matches!(decision, Decision::Again { wait: w, .. } if w == wait);
                assert!(waits(Duration::from_secs(seconds)), "{decision:?}");
            }
        }
        let over = Situation { too_soon: Some(3), ..new };
        assert_eq!(decide(&policy, &over), Decision::Renew);
        let done = Situation { renewal: Renewal::Done, ..over };
        assert_eq!(end(decide(&policy, &done)), Some((false, None)));
        let spent = RetryPolicy { budget: Duration::ZERO, ..policy };
        assert_eq!(decide(&spent, &new), Decision::Renew, "within the time that a user allows");
    }

    #[test]
    fn waits_are_bounded_by_attempts_and_budget_and_never_undercut() {
        let policy = RetryPolicy::default();
        let asked = decide(&policy, &situation(Event::Rejected(Some(7 * S))));
        assert!(matches!(asked, Decision::Again { wait, .. } if wait == 7 * S));
        let day = Duration::from_hours(24);
        assert_eq!(
            end(decide(&policy, &situation(Event::Rejected(Some(day))))),
            Some((false, Some(day)))
        );
        let last = Situation { attempt: 5, ..situation(Event::Unknown) };
        assert!(end(decide(&policy, &last)).is_some());
        let spent = Situation { elapsed: 119 * S, ..situation(Event::Rejected(Some(2 * S))) };
        assert_eq!(end(decide(&policy, &spent)), Some((false, Some(2 * S))));
        for (attempt, ms) in [(1, 500), (2, 1000), (3, 2000), (4, 4000)] {
            let decision = decide(&policy, &Situation { attempt, ..situation(Event::NotSent) });
            assert!(
                matches!(decision, Decision::Again { wait, .. } if wait == Duration::from_millis(ms))
            );
        }
    }
    #[test]
    fn what_cannot_be_sent_again_stays_at_the_answer_that_came() {
        let (policy, wait) = (RetryPolicy::default(), Some(2 * S));
        let gone = |event| Situation { resend: Resend::Impossible, ..situation(event) };
        for (event, after) in [
            (Event::Rejected(wait), wait),
            (Event::Transient(wait), None),
            (Event::Unknown, None),
            (Event::NotSent, None),
        ] {
            let decided = decide(&policy, &gone(event));
            assert_eq!(end(decided), Some((false, after)), "{event:?}");
        }
        // The next request needs the token.
        assert_eq!(decide(&policy, &gone(Event::Refresh)), Decision::Renew);
        let new = Situation { too_soon: Some(0), ..gone(Event::Refresh) };
        assert_eq!(end(decide(&policy, &new)), Some((false, None)));
    }
}
