//! The cells that a process was handed out of a shared limit.

use std::time::Duration;

use crate::{
    model::limit::Rate,
    policy::limit::{
        call::{Call, Handed, PIECES, Reply, Settled},
        reading::Reading,
    },
};

/// Calls without a reply that are remembered; of older ones the cells count as used.
const MOST_ABANDONED: usize = 16;
/// The usual life of a cell, until one was seen.
const LIFE: Duration = Duration::from_secs(1);

/// What a process holds of one limit.
#[derive(Debug)]
pub struct Cells {
    rate: Rate,
    slack: Duration,
    hands: Vec<Hand>,
    next_id: u64,
    /// A call is under way, or was and its reply never came.
    asking: bool,
    abandoned: Vec<u64>,
    /// Asking again is of no use before.
    again: Duration,
    /// How long the latest hand-out lasts.
    term: Duration,
    pace: Pace,
}

/// One hand-out.
#[derive(Debug)]
struct Hand {
    id: u64,
    cells: u32,
    /// Places that were taken and have not started yet.
    reserved: u32,
    used: u32,
    from: Duration,
    until: Duration,
    last_start: Duration,
    reading: Reading,
}

impl Hand {
    fn free(&self, now: Duration) -> u32 {
        if now < self.until { self.cells.saturating_sub(self.reserved + self.used) } else { 0 }
    }
}

impl Cells {
    /// Nothing handed out yet. Ids begin with the time `now`: the row may still hold hand-outs of a
    /// bucket of the same name that this process has forgotten.
    pub fn new(rate: Rate, slack: Duration, now: Duration) -> Self {
        Self {
            rate,
            slack,
            hands: Vec::new(),
            next_id: u64::try_from(now.as_micros()).unwrap_or(0),
            asking: false,
            abandoned: Vec::new(),
            again: Duration::ZERO,
            term: LIFE,
            pace: Pace::default(),
        }
    }

    /// Reserves a cell, and returns the id of its hand-out. Else how long there is none; zero means
    /// that one has to ask.
    pub fn take(&mut self, now: Duration) -> Result<u64, Duration> {
        let mut free = self.hands.iter_mut().filter(|hand| hand.free(now) > 0);
        match free.next() {
            Some(hand) if hand.from <= now => {
                hand.reserved += 1;
                Ok(hand.id)
            }
            Some(hand) => Err(hand.from.saturating_sub(now)),
            None => Err(self.again.saturating_sub(now)),
        }
    }

    /// A reserved start happens; whether it may still.
    pub fn start(&mut self, id: u64, now: Duration) -> bool {
        let hand = self.hands.iter_mut().find(|hand| hand.id == id && hand.reserved > 0);
        let Some(hand) = hand.filter(|hand| hand.from <= now && now < hand.until) else {
            return false;
        };
        hand.reserved -= 1;
        hand.used += 1;
        hand.last_start = now;
        self.pace.count(now);
        true
    }

    /// A reserved start does not happen.
    pub fn untake(&mut self, id: u64) {
        if let Some(hand) = self.hands.iter_mut().find(|hand| hand.id == id) {
            hand.reserved = hand.reserved.saturating_sub(1);
        }
    }

    /// Cells that can still be used.
    pub fn free(&self, now: Duration) -> u32 {
        self.hands.iter().map(|hand| hand.free(now)).sum()
    }

    /// Cells to ask for: for those who wait, and for what the pace of late says will be used before
    /// they end.
    fn want(&self, waiting: u32, now: Duration) -> u32 {
        let target = waiting.saturating_add(self.pace.within(self.term, now));
        target.saturating_sub(self.free(now)).min(self.rate.count)
    }

    /// Whether it is time to ask although there are still cells.
    pub fn is_low(&self, waiting: u32, now: Duration) -> bool {
        let want = self.want(waiting, now);
        want > self.free(now) && self.again <= now
    }

    /// A call begins. One whose reply never came has handed out what nobody will use.
    pub fn begin(&mut self) {
        if self.asking {
            self.abandoned.push(self.next_id);
            self.next_id += PIECES as u64;
            if self.abandoned.len() > MOST_ABANDONED {
                self.abandoned.remove(0);
            }
        }
        self.asking = true;
    }

    /// Fills in what is asked and told. Who leaves uses nothing any more.
    pub fn fill(&mut self, call: &mut Call<'_>, reading: &Reading, waiting: u32) {
        let now = reading.before;
        call.rate = Some(self.rate);
        call.slack = self.slack;
        call.first_id = self.next_id;
        call.abandoned.clone_from(&self.abandoned);
        // Who still holds a place in one that has ended is too late, and takes another.
        for hand in self.hands.iter_mut().filter(|hand| call.leaving || hand.until <= now) {
            hand.cells = hand.used;
            hand.reserved = 0;
        }
        call.want = if call.leaving { 0 } else { self.want(waiting, now) };
        let over = self.hands.iter().filter(|hand| hand.reserved == 0 && hand.free(now) == 0);
        call.settled = over
            .map(|hand| Settled {
                id: hand.id,
                used: hand.used,
                last_start: hand.reading.at_most(hand.last_start),
            })
            .collect();
    }

    /// Takes in what came of a call.
    pub fn take_in(&mut self, call: &Call<'_>, reply: &Reply, reading: &Reading) {
        self.asking = false;
        self.abandoned.retain(|first| !call.abandoned.contains(first));
        self.hands.retain(|hand| call.settled.iter().all(|settled| settled.id != hand.id));
        self.again = reading.surely_at(reply.again);
        for handed in &reply.handed {
            self.hold(*handed, reading);
        }
    }

    fn hold(&mut self, handed: Handed, reading: &Reading) {
        let (from, until) = (reading.surely_at(handed.from), reading.surely_before(handed.until));
        self.next_id = handed.id + 1;
        self.term = until.saturating_sub(from);
        self.hands.push(Hand {
            id: handed.id,
            cells: handed.cells,
            reserved: 0,
            used: 0,
            from,
            until,
            last_start: Duration::ZERO,
            reading: *reading,
        });
    }

    /// Whether something of it could still be given back.
    pub fn is_held(&self) -> bool {
        self.asking || !self.hands.is_empty() || !self.abandoned.is_empty()
    }
}

/// How many starts there were of late: those of this second, and those of the one before, as far as
/// it lies within the last second.
#[derive(Debug, Default)]
struct Pace {
    second: u64,
    now: u32,
    before: u32,
}

impl Pace {
    fn count(&mut self, now: Duration) {
        if self.second != now.as_secs() {
            self.before = if self.second + 1 == now.as_secs() { self.now } else { 0 };
            (self.second, self.now) = (now.as_secs(), 0);
        }
        self.now = self.now.saturating_add(1);
    }

    /// Starts to expect within `span`.
    fn within(&self, span: Duration, now: Duration) -> u32 {
        let rest = u64::from(1_000_000_000 - now.subsec_nanos());
        let (whole, partial) = match now.as_secs().saturating_sub(self.second) {
            0 => (self.now, self.before),
            1 => (0, self.now),
            _ => (0, 0),
        };
        let second = u64::from(whole) * 1_000_000_000 + u64::from(partial) * rest;
        let expected = u128::from(second) * span.as_nanos() / 1_000_000_000_000_000_000;
        u32::try_from(expected).unwrap_or(u32::MAX)
    }
}
