//! What a process knows of one limit, and whether a request may start.

use std::time::Duration;

use crate::{
    model::limit::Rate,
    policy::limit::{
        call::{Call, Learned, Reply},
        cells::Cells,
        reading::Reading,
        starts::Starts,
    },
};

/// Windows from here on are shared by all processes on a store.
const SHARED: Duration = Duration::from_secs(1);
/// Whoever starts a request has read the row within this time.
const FRESH: Duration = Duration::from_secs(1);
/// Two resets that lie no further apart are one.
const SAME_RESET: Duration = Duration::from_secs(1);
/// An API that names a later reset is believed for so long.
const LONGEST: Duration = Duration::from_hours(24);
/// The most that is added to a window because an API counts arrivals and not starts.
const MOST_SLACK: Duration = Duration::from_millis(100);

/// One bucket.
#[derive(Debug)]
pub struct Bucket {
    concurrency: Option<u32>,
    running: u32,
    window: Window,
    closed_until: Duration,
    left: Option<Left>,
    /// How many words of the API there were.
    words: u32,
    /// When the row was read.
    read: Option<Duration>,
    news: News,
}

#[derive(Debug)]
enum Window {
    None,
    Short(Starts, Rate),
    Shared(Cells, Rate),
}

/// What the API says is left.
#[derive(Debug, Clone, Copy)]
struct Left {
    count: u64,
    until: Duration,
    named: bool,
    /// Which word of the API it is.
    version: u32,
}

/// What the row does not say yet.
#[derive(Debug, Default)]
struct News {
    pause: Option<Duration>,
    learned: Option<Left>,
    version: u32,
}

/// Whether there is a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It is taken; [`Bucket::start`] uses it, [`Bucket::untake`] gives it back.
    Taken(Place),
    /// There may be one after this time.
    Wait(Duration),
    /// There will be one when another request ends.
    Full,
    /// The row has to be read first.
    Ask,
}

/// A place that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The hand-out that its cell is of.
    hand: Option<u64>,
    /// Which word of the API it was taken under: a later one does not count it.
    word: Option<u32>,
}

/// What an answer says of a bucket.
#[derive(Debug, Clone, Copy)]
pub struct Remaining {
    /// How many requests are left.
    pub count: u64,
    /// When it fills again.
    pub reset: Option<Duration>,
}

/// Why the row is read.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Requests that wait for a place.
    pub waiting: u32,
    /// The process ends: all that was not used is given back.
    pub leaving: bool,
}

impl Bucket {
    /// An empty bucket, made at `now`. An exact one adds no slack to its window: for tests, where
    /// nothing is on its way.
    pub fn new(rate: Option<Rate>, concurrency: Option<u32>, exact: bool, now: Duration) -> Self {
        let window = match rate {
            None => Window::None,
            Some(rate) if rate.window < SHARED => Window::Short(Starts::new(rate), rate),
            Some(rate) => {
                let slack = if exact { Duration::ZERO } else { MOST_SLACK.min(rate.window / 50) };
                Window::Shared(Cells::new(rate, slack, now), rate)
            }
        };
        Self {
            concurrency,
            running: 0,
            window,
            closed_until: Duration::ZERO,
            left: None,
            words: 0,
            read: None,
            news: News::default(),
        }
    }

    /// Whether it keeps this limit; files may have changed since it was made.
    pub fn keeps(&self, rate: Option<Rate>, concurrency: Option<u32>) -> bool {
        self.rate() == rate && self.concurrency == concurrency
    }

    fn rate(&self) -> Option<Rate> {
        match &self.window {
            Window::None => None,
            Window::Short(_, rate) | Window::Shared(_, rate) => Some(*rate),
        }
    }

    /// The rate that is shared.
    pub fn shared_rate(&self) -> Option<Rate> {
        match &self.window {
            Window::None | Window::Short(..) => None,
            Window::Shared(_, rate) => Some(*rate),
        }
    }

    /// Takes a place if there is one.
    pub fn take(&mut self, now: Duration) -> Take {
        let closed = self.closed_until.saturating_sub(now);
        if !closed.is_zero() {
            return Take::Wait(closed);
        }
        if self.concurrency.is_some_and(|most| self.running >= most) {
            return Take::Full;
        }
        self.left = self.left.filter(|left| left.until > now);
        if let Some(left) = self.left.filter(|left| left.count == 0) {
            return Take::Wait(left.until.saturating_sub(now));
        }
        let taken = match &mut self.window {
            Window::None | Window::Short(..)
                if self.read.is_none_or(|read| read + FRESH <= now) =>
            {
                return Take::Ask;
            }
            Window::None => Ok(None),
            Window::Short(starts, _) => starts.take(now).map(|()| None),
            Window::Shared(cells, _) => cells.take(now).map(Some),
        };
        match taken {
            Ok(hand) => {
                let word = self.left.as_mut().map(|left| {
                    left.count -= 1;
                    left.version
                });
                self.running += 1;
                Take::Taken(Place { hand, word })
            }
            Err(Duration::ZERO) => Take::Ask,
            Err(wait) => Take::Wait(wait),
        }
    }

    /// A request starts at a place that was taken; `false` if it is too late for that. Asked right
    /// before it is sent.
    pub fn start(&mut self, place: Place, now: Duration) -> bool {
        if self.closed_until > now {
            return false;
        }
        match (&mut self.window, place.hand) {
            (Window::Shared(cells, _), Some(hand)) => cells.start(hand, now),
            (Window::Short(starts, _), _) => {
                starts.start(now);
                true
            }
            (Window::Shared(..) | Window::None, _) => true,
        }
    }

    /// A request that was started has ended.
    pub fn release(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// A place was not used: nothing was sent.
    pub fn untake(&mut self, place: Place) {
        self.release();
        match (&mut self.window, place.hand) {
            (Window::Shared(cells, _), Some(hand)) => cells.untake(hand),
            (Window::Short(starts, _), _) => starts.untake(),
            (Window::Shared(..) | Window::None, _) => {}
        }
        if let Some(left) = self.left.as_mut().filter(|left| Some(left.version) == place.word) {
            left.count += 1;
        }
    }

    /// Closes it for everybody; a longer closing stays. Whether that is news for others.
    #[must_use]
    pub fn close(&mut self, until: Duration) -> bool {
        let news = until > self.closed_until;
        if news {
            self.closed_until = until;
            self.news.pause = Some(until);
            self.news.version += 1;
        }
        news
    }

    /// Takes in what an answer says. Never raises what `rate` allows. Answers may arrive out of
    /// order: until a named reset the lowest count is believed. Whether others have to know it now.
    #[must_use]
    pub fn learn(&mut self, seen: Remaining, now: Duration) -> bool {
        let reset = seen.reset.filter(|reset| *reset > now).map(|reset| reset.min(now + LONGEST));
        self.words = self.words.wrapping_add(1);
        let version = self.words;
        let mut left = match (reset, self.rate()) {
            (Some(until), _) => Left { count: seen.count, until, named: true, version },
            (None, Some(rate)) => {
                let others = u64::from(self.running.saturating_sub(1));
                let count = seen.count.saturating_sub(others);
                Left { count, until: now + rate.window, named: false, version }
            }
            (None, None) => return false,
        };
        if let Some(known) = self.left.filter(|known| left.named && known.named)
            && known.until.abs_diff(left.until) <= SAME_RESET
        {
            left = Left { count: left.count.min(known.count), version, ..known };
        }
        self.left = Some(left);
        match self.shared_rate() {
            Some(rate) => {
                self.news.learned = Some(left);
                self.news.version += 1;
                left.count.saturating_mul(10) < u64::from(rate.count)
            }
            // Without a shared window the count stays here, and its end is a pause.
            None => left.count == 0 && left.named && self.close(left.until),
        }
    }

    /// Whether it is time to read the row although there are still places.
    pub fn is_low(&self, waiting: u32, now: Duration) -> bool {
        match &self.window {
            Window::Shared(cells, _) => cells.is_low(waiting, now),
            Window::None | Window::Short(..) => {
                self.read.is_some_and(|read| read + FRESH / 2 <= now)
            }
        }
    }

    /// A call begins.
    pub fn begin(&mut self) {
        if let Window::Shared(cells, _) = &mut self.window {
            cells.begin();
        }
    }

    /// What to ask of the row and to tell it.
    pub fn call<'h>(&mut self, reading: &Reading, holder: &'h str, ask: Ask) -> Call<'h> {
        let mut call = Call::new(reading.now, holder);
        call.leaving = ask.leaving;
        call.pause = self.news.pause.map(|until| reading.at_most(until));
        if let Window::Shared(cells, _) = &mut self.window {
            cells.fill(&mut call, reading, ask.waiting);
            // What may still start here is not left for others.
            let own = u64::from(cells.free(reading.before));
            call.learned = self.news.learned.map(|left| Learned {
                count: left.count.saturating_sub(own),
                reset: reading.at_most(left.until),
                named: left.named,
            });
        }
        call.version = self.news.version;
        call
    }

    /// Takes in what came of a call.
    pub fn take_in(&mut self, call: &Call<'_>, reply: &Reply, reading: &Reading) {
        self.read = Some(reading.after);
        if call.version == self.news.version {
            (self.news.pause, self.news.learned) = (None, None);
        }
        let pause = reading.surely_at(reply.pause);
        self.closed_until = self.news.pause.unwrap_or_default().max(pause);
        if let Window::Shared(cells, _) = &mut self.window {
            cells.take_in(call, reply, reading);
        }
    }

    /// The row could not be read: goes on as if it said nothing new.
    pub fn go_on(&mut self, now: Duration) {
        self.read = Some(now);
    }

    /// Whether the row has to hear of it before the process ends.
    pub fn owes(&self) -> bool {
        let held = match &self.window {
            Window::Shared(cells, _) => cells.is_held(),
            Window::None | Window::Short(..) => false,
        };
        held || self.news.pause.is_some()
    }

    /// Whether forgetting it could break a limit.
    pub fn is_busy(&self, now: Duration) -> bool {
        let busy = match &self.window {
            Window::Short(starts, _) => starts.is_busy(now),
            Window::Shared(cells, _) => cells.free(now) > 0,
            Window::None => false,
        };
        let left = self.left.is_some_and(|left| left.until > now);
        busy || self.running > 0 || self.closed_until > now || left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{model::time::Timestamp, policy::limit::SharedLimit};

    #[expect(clippy::unnecessary_wraps, reason = "as a bucket takes it")]
    fn rate(count: u32, ms: u64) -> Option<Rate> {
        Some(Rate { count, window: Duration::from_millis(ms) })
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A bucket whose row nobody else uses, on a clock that is the store's.
    struct Alone {
        bucket: Bucket,
        row: SharedLimit,
    }

    impl Alone {
        fn new(rate: Option<Rate>, concurrency: Option<u32>) -> Self {
            Self {
                bucket: Bucket::new(rate, concurrency, true, Duration::ZERO),
                row: SharedLimit::default(),
            }
        }

        fn ask(&mut self, now: Duration) {
            let time = Timestamp(i64::try_from(now.as_millis()).unwrap());
            let reading = Reading { now: time, before: now, after: now };
            self.bucket.begin();
            let ask = Ask { waiting: 1, leaving: false };
            let call = self.bucket.call(&reading, "me", ask);
            let reply = self.row.next(&call);
            self.bucket.take_in(&call, &reply, &reading);
        }

        fn take(&mut self, now: Duration) -> Take {
            let take = self.bucket.take(now);
            if take != Take::Ask {
                return take;
            }
            self.ask(now);
            self.bucket.take(now)
        }

        /// Whether a request could start.
        fn goes(&mut self, now: Duration) -> bool {
            match self.take(now) {
                Take::Taken(place) => {
                    assert!(self.bucket.start(place, now));
                    true
                }
                Take::Wait(_) | Take::Full | Take::Ask => false,
            }
        }
    }

    proptest! {
        /// Short or shared, asked whenever: no window of D ever holds more than N starts, and
        /// whoever waits as told gets a place.
        #[test]
        fn no_window_holds_more_than_its_rate(count in 1_u32..6, length in 1_u64..3000, gaps in prop::collection::vec(0_u64..400, 1..200)) {
            let mut alone = Alone::new(rate(count, length), None);
            let (mut now, mut starts) = (ms(1_000_000), Vec::new());
            for gap in gaps {
                now += ms(gap);
                let mut tries = 0;
                while !alone.goes(now) {
                    let Take::Wait(wait) = alone.take(now) else { panic!("neither a place nor a wait") };
                    now += wait;
                    tries += 1;
                    prop_assert!(tries < 3, "waited as told, and there is no place");
                }
                alone.bucket.release();
                starts.push(now);
            }
            for pair in starts.windows(count as usize + 1) {
                prop_assert!(pair[count as usize] >= pair[0] + ms(length), "{pair:?}");
            }
        }
    }

    #[test]
    fn a_place_held_for_too_long_is_given_back_and_starts_nothing() {
        let mut alone = Alone::new(rate(10, 60_000), None);
        let Take::Taken(held) = alone.take(ms(0)) else { panic!("no place") };
        alone.ask(ms(2000));
        assert!(!alone.bucket.start(held, ms(2000)));
        alone.bucket.untake(held);
        let starts = (2001..2100).filter(|now| alone.goes(ms(*now))).count();
        assert_eq!(starts, 10);
    }

    #[test]
    fn a_limit_that_is_changed_and_changed_back_forgets_nothing() {
        let mut alone = Alone::new(rate(5, 60_000), None);
        assert_eq!((0..9).filter(|_| alone.goes(ms(0))).count(), 5);
        alone.ask(ms(10));
        let mut shorter = Alone { bucket: Bucket::new(rate(5, 1000), None, true, ms(1)), ..alone };
        assert!(shorter.goes(ms(5000)));
        shorter.ask(ms(6000));
        let mut again =
            Alone { bucket: Bucket::new(rate(5, 60_000), None, true, ms(2)), ..shorter };
        assert!(!again.goes(ms(7000)));
    }

    #[test]
    fn concurrency_and_closing() {
        let mut alone = Alone::new(None, Some(2));
        let now = ms(1000);
        assert!(alone.goes(now) && alone.goes(now));
        assert_eq!(alone.take(now), Take::Full);
        alone.bucket.release();
        assert!(alone.goes(now));
        alone.bucket.release();
        assert!(alone.bucket.close(ms(1500)));
        assert!(!alone.bucket.close(ms(1300)), "a longer closing stays");
        assert_eq!(alone.take(now), Take::Wait(ms(500)));
        alone.ask(now);
        assert_eq!(alone.take(now), Take::Wait(ms(500)), "as the row says");
        assert!(alone.goes(ms(1500)));
    }

    #[test]
    fn a_closing_reaches_those_who_have_a_place_and_those_in_other_processes() {
        let mut alone = Alone::new(None, None);
        let Take::Taken(place) = alone.take(ms(0)) else { panic!("no place") };
        assert!(alone.bucket.close(ms(700)));
        assert!(!alone.bucket.start(place, ms(1)));
        alone.bucket.untake(place);
        alone.ask(ms(2));
        let mut other =
            Alone { bucket: Bucket::new(None, None, true, Duration::ZERO), row: alone.row };
        assert_eq!(other.take(ms(100)), Take::Wait(ms(600)));
    }

    #[test]
    fn a_row_is_read_again_after_a_second() {
        let mut alone = Alone::new(None, None);
        assert_eq!(alone.bucket.take(ms(0)), Take::Ask);
        assert!(alone.goes(ms(0)));
        assert!(!alone.bucket.is_low(0, ms(499)) && alone.bucket.is_low(0, ms(500)));
        assert!(matches!(alone.bucket.take(ms(999)), Take::Taken(_)));
        assert_eq!(alone.bucket.take(ms(1000)), Take::Ask);
    }

    #[test]
    fn an_observed_bucket_with_nothing_left_is_closed_until_its_reset() {
        let mut alone = Alone::new(None, None);
        let reset = Some(ms(1000));
        assert!(!alone.bucket.learn(Remaining { count: 1, reset }, ms(0)));
        // A late answer with an older count does not open it again.
        assert!(!alone.bucket.learn(Remaining { count: 5, reset }, ms(0)));
        assert!(alone.goes(ms(1)));
        assert_eq!(alone.take(ms(1)), Take::Wait(ms(999)));
        assert!(alone.goes(ms(1000)));
        // Nothing left is told to the others.
        assert!(alone.bucket.learn(Remaining { count: 0, reset: Some(ms(3000)) }, ms(1001)));
        alone.ask(ms(1002));
        let mut other =
            Alone { bucket: Bucket::new(None, None, true, Duration::ZERO), row: alone.row };
        assert_eq!(other.take(ms(1003)), Take::Wait(ms(1997)));
        // Without rate and reset it is only reported.
        let mut alone = Alone::new(None, None);
        assert!(!alone.bucket.learn(Remaining { count: 0, reset: None }, ms(0)));
        assert!(alone.goes(ms(0)));
    }

    #[test]
    fn a_place_that_is_given_back_adds_nothing_to_a_count_that_came_after_it_was_taken() {
        let mut alone = Alone::new(None, None);
        let reset = Some(ms(9000));
        assert!(!alone.bucket.learn(Remaining { count: 5, reset }, ms(0)));
        let Take::Taken(early) = alone.take(ms(1)) else { panic!("no place") };
        assert!(!alone.bucket.learn(Remaining { count: 1, reset }, ms(2)));
        alone.bucket.untake(early);
        let Take::Taken(late) = alone.take(ms(3)) else { panic!("no place") };
        assert!(matches!(alone.take(ms(3)), Take::Wait(_)), "one was left");
        alone.bucket.untake(late);
        assert!(alone.goes(ms(4)));
    }

    #[test]
    fn with_a_rate_a_count_lowers_what_is_left_of_the_window_and_never_raises_it() {
        for length in [100, 1000] {
            let mut alone = Alone::new(rate(2, length), None);
            let _urgent = alone.bucket.learn(Remaining { count: 50, reset: None }, ms(0));
            assert!(alone.goes(ms(0)) && alone.goes(ms(0)));
            assert!(!alone.goes(ms(length - 1)), "{length}");
            assert!(alone.goes(ms(length)), "{length}");
            let _urgent = alone.bucket.learn(Remaining { count: 0, reset: None }, ms(length));
            assert_eq!(alone.take(ms(length)), Take::Wait(ms(length)));
        }
    }
}
