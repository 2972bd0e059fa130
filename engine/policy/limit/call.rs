//! What a process asks of a shared limit, and what it is answered. Times are the store's.

use std::time::Duration;

use crate::model::{limit::Rate, time::Timestamp};

/// Hand-outs that one call gets at most.
pub const PIECES: usize = 8;

/// What a process asks of the row, and what it has to tell.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The store's time when the row was read.
    pub now: Timestamp,
    /// The process.
    pub holder: &'a str,
    /// At most so many starts in any window; the window is at least a second. `None`: only pauses
    /// are shared.
    pub rate: Option<Rate>,
    /// Added to the window, because an API counts arrivals and not starts.
    pub slack: Duration,
    /// Cells wanted.
    pub want: u32,
    /// The id of the first hand-out; the next ones count up.
    pub first_id: u64,
    /// Hand-outs of this process that are over for it.
    pub settled: Vec<Settled>,
    /// First ids of calls whose reply never came: nothing of them was used.
    pub abandoned: Vec<u64>,
    /// Nothing may begin before.
    pub pause: Option<Timestamp>,
    /// What the API said.
    pub learned: Option<Learned>,
    /// The process ends.
    pub leaving: bool,
    /// Which news of its bucket it carries.
    pub version: u32,
}

/// A hand-out that is over.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// Its id.
    pub id: u64,
    /// How many cells were used.
    pub used: u32,
    /// When the last of them was, or a little later.
    pub last_start: Timestamp,
}

/// How many requests the API says are left.
#[derive(Debug, Clone, Copy)]
pub struct Learned {
    /// Less what the process may still send.
    pub count: u64,
    /// When it fills again.
    pub reset: Timestamp,
    /// The API named the reset: until then the lowest count is believed, as answers may arrive out
    /// of order. Else the newest.
    pub named: bool,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Cells of this process.
    pub handed: Vec<Handed>,
    /// Asking again is of no use before.
    pub again: Timestamp,
    /// Nothing begins before.
    pub pause: Timestamp,
}

/// The right to start `cells` requests in `from..until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed {
    /// Unique for its holder.
    pub id: u64,
    /// How many.
    pub cells: u32,
    /// Not before.
    pub from: Timestamp,
    /// Before this.
    pub until: Timestamp,
}

impl<'a> Call<'a> {
    /// Asks nothing but for pauses.
    pub fn new(now: Timestamp, holder: &'a str) -> Self {
        Self {
            now,
            holder,
            rate: None,
            slack: Duration::ZERO,
            want: 0,
            first_id: 0,
            settled: Vec::new(),
            abandoned: Vec::new(),
            pause: None,
            learned: None,
            leaving: false,
            version: 0,
        }
    }

    /// Whether the row changes by it. Who only reads pauses leaves it as it is.
    pub fn changes(&self) -> bool {
        self.want > 0
            || !self.settled.is_empty()
            || !self.abandoned.is_empty()
            || self.pause.is_some()
            || self.learned.is_some()
            || (self.leaving && self.rate.is_some())
    }
}
