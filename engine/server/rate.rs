//! How fast one key may ask, in this process: as many requests at once as its rate has, and then
//! evenly as they come back.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::model::api_key::KeyRate;

/// What is left.
pub struct Tokens {
    rate: KeyRate,
    /// How many, and when, on the clock of this process.
    state: Mutex<(f64, Duration)>,
}

impl Tokens {
    /// All of them.
    pub fn new(rate: KeyRate, now: Duration) -> Self {
        Self { rate, state: Mutex::new((f64::from(rate.requests), now)) }
    }

    /// Takes one; else how long it is until there is one.
    pub fn take(&self, now: Duration) -> Result<(), Duration> {
        let KeyRate { requests, span } = self.rate;
        let each = span.as_secs_f64() / f64::from(requests);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = *state;
        let back = now.saturating_sub(at).as_secs_f64() / each;
        let left = (left + back).min(f64::from(requests));
        let taken = left >= 1.0;
        *state = (if taken { left - 1.0 } else { left }, now.max(at));
        if taken { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - left) * each)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_used_up_and_comes_back() {
        let tokens = Tokens::new(KeyRate::parse("2/10s").unwrap(), Duration::ZERO);
        let take =
            |seconds| tokens.take(Duration::from_secs(seconds)).map_err(|wait| wait.as_secs());
        assert_eq!((take(0), take(0), take(0)), (Ok(()), Ok(()), Err(5)));
        assert_eq!((take(4), take(5), take(5)), (Err(1), Ok(()), Err(5)));
        assert_eq!((take(1000), take(1000), take(1000)), (Ok(()), Ok(()), Err(5)), "not more");
        assert_eq!(take(999), Err(5), "time does not go back");
    }
}
