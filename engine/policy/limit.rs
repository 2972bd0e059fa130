//! Buckets: how fast one may go, kept before the API has to say no.

use std::{collections::VecDeque, time::Duration};

use crate::{
    model::{
        http::{Method, Response},
        limit::{Limit, Observe, Rate},
        time::Timestamp,
    },
    policy::{
        ietf::{self, Observation},
        wait,
    },
    template::Scope,
};

/// One bucket. `rate: N/D` holds for *any* window of D, so it remembers its last N starts.
#[derive(Debug)]
pub struct Bucket {
    rate: Option<Rate>,
    concurrency: Option<u32>,
    /// The last starts, oldest first; at most `rate.count` of them.
    starts: VecDeque<Timestamp>,
    running: u32,
    closed_until: Option<Timestamp>,
    /// What the API says is left, until its reset.
    left: Option<(u64, Timestamp)>,
    /// `observe` without a reset: so many fewer than `rate` allows, until the window is over.
    lowered: Option<(u64, Timestamp)>,
}

/// Whether there is a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It is taken; [`Bucket::release`] gives it back.
    Taken,
    /// There will be one after this time.
    Wait(Duration),
    /// There will be one when somebody releases theirs.
    Full,
}

impl Bucket {
    /// An empty bucket.
    pub fn new(rate: Option<Rate>, concurrency: Option<u32>) -> Self {
        Self {
            rate,
            concurrency,
            starts: VecDeque::new(),
            running: 0,
            closed_until: None,
            left: None,
            lowered: None,
        }
    }

    /// Takes a place if there is one.
    pub fn take(&mut self, now: Timestamp) -> Take {
        if let Some(until) = self.closed_until.filter(|until| *until > now) {
            return Take::Wait(until.since(now));
        }
        self.closed_until = None;
        self.left = self.left.filter(|(_, reset)| *reset > now);
        self.lowered = self.lowered.filter(|(_, end)| *end > now);
        if self.concurrency.is_some_and(|most| self.running >= most) {
            return Take::Full;
        }
        if let Some((0, reset)) = self.left {
            return Take::Wait(reset.since(now));
        }
        if let Some(wait) = self.window(now) {
            return Take::Wait(wait);
        }
        if let Some((left, _)) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        if let Some((left, _)) = &mut self.lowered {
            *left = left.saturating_sub(1);
        }
        if self.rate.is_some() {
            self.starts.push_back(now);
        }
        self.running += 1;
        Take::Taken
    }

    /// How long the window is still full, if it is.
    fn window(&mut self, now: Timestamp) -> Option<Duration> {
        let rate = self.rate?;
        while self.starts.front().is_some_and(|start| start.plus(rate.window) <= now) {
            self.starts.pop_front();
        }
        if let Some((0, end)) = self.lowered {
            return Some(end.since(now));
        }
        let full = self.starts.len() >= usize::try_from(rate.count).unwrap_or(usize::MAX);
        let oldest = self.starts.front().filter(|_| full)?;
        Some(oldest.plus(rate.window).since(now))
    }

    /// Gives a place back after the request has ended.
    pub fn release(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Gives a place back that was not used: nothing was sent.
    pub fn untake(&mut self) {
        self.release();
        self.starts.pop_back();
        if let Some((left, _)) = &mut self.left {
            *left += 1;
        }
        if let Some((left, _)) = &mut self.lowered {
            *left += 1;
        }
    }

    /// Closes it for everybody; a longer closing stays.
    pub fn close(&mut self, until: Timestamp) {
        self.closed_until = self.closed_until.max(Some(until));
    }

    /// Takes in what an answer says. Never raises what `rate` allows. Answers may arrive out of
    /// order: within one window the lowest count is believed.
    pub fn learn(&mut self, seen: &Observation, now: Timestamp) {
        let Some(remaining) = seen.remaining else { return };
        match seen.reset.filter(|reset| *reset > now) {
            Some(reset) => {
                self.left = match self.left {
                    Some((left, known)) if known == reset => Some((left.min(remaining), reset)),
                    Some(_) | None => Some((remaining, reset)),
                };
            }
            None => {
                let Some(rate) = self.rate else { return };
                let running = u64::from(self.running.saturating_sub(1));
                self.lowered = Some((remaining.saturating_sub(running), now.plus(rate.window)));
            }
        }
    }

    /// Whether forgetting it could break a limit.
    pub fn is_busy(&self) -> bool {
        self.running > 0
            || !self.starts.is_empty()
            || self.closed_until.is_some()
            || self.left.is_some()
    }
}

/// Whether a limit is for a request. `path` is encoded and relative to `base_url`; `*` in the
/// limit's path is one segment.
pub fn matches(limit: &Limit, method: Method, path: &str) -> bool {
    let method = limit.methods.is_empty() || limit.methods.contains(&method);
    method && limit.path.as_ref().is_none_or(|glob| glob_fits(glob, path))
}

fn glob_fits(glob: &str, path: &str) -> bool {
    let (mut globs, mut segments) = (glob.split('/'), path.split('/'));
    loop {
        match (globs.next(), segments.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(glob), Some(segment)) if glob == segment => {}
            _ => return false,
        }
    }
}

/// What an answer tells by the limit's `observe`.
pub fn observe(observe: &Observe, response: &Response, now: Timestamp) -> Observation {
    if observe.ietf {
        return ietf::observe(&response.headers, now);
    }
    // Body locators of `observe` read the whole answer; they are rare.
    let body = if reads_body(observe) {
        serde_json::from_slice(&response.body).unwrap_or_default()
    } else {
        serde_json::Value::Null
    };
    let scope = Scope::new(now).with("body", &body);
    let number = |locator: &Option<_>| {
        let found = wait::number(locator.as_ref()?, &response.headers, &scope)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        Some(found.clamp(0.0, 1e15) as u64)
    };
    let used = || Some(number(&observe.limit)?.saturating_sub(number(&observe.used)?));
    let reset = observe.reset.as_ref().and_then(|locator| {
        wait::span(locator, &response.headers, &scope, now).map(|span| now.plus(span))
    });
    Observation { remaining: number(&observe.remaining).or_else(used), reset }
}

fn reads_body(observe: &Observe) -> bool {
    [&observe.remaining, &observe.limit, &observe.used, &observe.reset]
        .into_iter()
        .flatten()
        .any(|locator| matches!(locator.from, crate::model::rule::Source::Body(_)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as a bucket takes it")]
    fn rate(count: u32, ms: u64) -> Option<Rate> {
        Some(Rate { count, window: Duration::from_millis(ms) })
    }

    proptest! {
        /// Whoever asks whenever: no window of D ever holds more than N starts, and whoever waits as
        /// told gets a place.
        #[test]
        fn no_window_holds_more_than_its_rate(count in 1_u32..6, ms in 1_u64..500, gaps in prop::collection::vec(0_i64..200, 1..200)) {
            let mut bucket = Bucket::new(rate(count, ms), None);
            let (mut now, mut starts) = (Timestamp(0), Vec::new());
            for gap in gaps {
                now = Timestamp(now.0 + gap);
                match bucket.take(now) {
                    Take::Taken => {}
                    Take::Wait(wait) => {
                        prop_assert!(!wait.is_zero());
                        now = now.plus(wait);
                        prop_assert_eq!(bucket.take(now), Take::Taken);
                    }
                    Take::Full => prop_assert!(false, "there is no concurrency limit"),
                }
                bucket.release();
                starts.push(now.0);
            }
            for (index, start) in starts.iter().enumerate() {
                let within = starts[index..].iter().filter(|other| **other < start + i64::try_from(ms).unwrap()).count();
                prop_assert!(within <= count as usize, "{starts:?}");
            }
        }
    }

    #[test]
    fn concurrency_and_closing() {
        let mut bucket = Bucket::new(None, Some(2));
        let now = Timestamp(0);
        assert_eq!(
            (bucket.take(now), bucket.take(now), bucket.take(now)),
            (Take::Taken, Take::Taken, Take::Full)
        );
        bucket.release();
        assert_eq!(bucket.take(now), Take::Taken);
        bucket.release();
        bucket.close(Timestamp(500));
        bucket.close(Timestamp(300));
        assert_eq!(bucket.take(now), Take::Wait(Duration::from_millis(500)));
        assert_eq!(bucket.take(Timestamp(500)), Take::Taken);
    }

    #[test]
    fn an_observed_bucket_with_nothing_left_is_closed_until_its_reset() {
        let mut bucket = Bucket::new(None, None);
        let reset = Some(Timestamp(1000));
        bucket.learn(&Observation { remaining: Some(1), reset }, Timestamp(0));
        // A late answer with an older count does not open it again.
        bucket.learn(&Observation { remaining: Some(5), reset }, Timestamp(0));
        assert_eq!(bucket.take(Timestamp(1)), Take::Taken);
        assert_eq!(bucket.take(Timestamp(1)), Take::Wait(Duration::from_millis(999)));
        assert_eq!(bucket.take(Timestamp(1000)), Take::Taken);
        // Without rate and reset it is only reported.
        let mut bucket = Bucket::new(None, None);
        bucket.learn(&Observation { remaining: Some(0), reset: None }, Timestamp(0));
        assert_eq!(bucket.take(Timestamp(0)), Take::Taken);
        // With a rate it lowers what is left of the window, never raises it.
        let mut bucket = Bucket::new(rate(2, 100), None);
        bucket.learn(&Observation { remaining: Some(50), reset: None }, Timestamp(0));
        assert_eq!(
            (bucket.take(Timestamp(0)), bucket.take(Timestamp(0))),
            (Take::Taken, Take::Taken)
        );
        assert_eq!(bucket.take(Timestamp(0)), Take::Wait(Duration::from_millis(100)));
    }

    #[test]
    fn globs_match_segment_by_segment() {
        for (glob, path, fits) in [
            ("/teams/*/channels/*/messages", "/teams/a/channels/19%3Ab/messages", true),
            ("/teams/*/channels", "/teams/a/b/channels", false),
            ("/x", "/x/", false),
            ("/*", "/x", true),
        ] {
            assert_eq!(glob_fits(glob, path), fits, "{glob} {path}");
        }
    }
}
