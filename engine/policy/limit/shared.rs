//! The state of a limit that all processes on a store share, and the function that makes the next
//! one. It hands out *cells*: the right to start one request within a span of at most a second.
//!
//! No window of D ever holds more than R starts. Hand-outs begin in order; take the latest one that
//! touches a window: every other one that touches it ended less than D before that one began, so
//! that it was counted then, and the sum is at most R. Settling only makes numbers smaller.
//!
//! All times are milliseconds of the store's clock. See `docs/decisions/0011-shared-limits.md`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    model::{limit::Rate, time::Timestamp},
    policy::limit::call::{Call, Handed, Learned, PIECES, Reply},
};

/// A cell ends at the latest this long after it was handed out, so that whoever starts a request
/// has read the row within the last second.
const LIFE: i64 = 1000;
/// Cells are handed out up to this far ahead.
const AHEAD: i64 = 800;
/// The clock has stepped back if hand-outs lie further ahead than this.
const STEP: i64 = 2000;
/// No pause is longer.
const LONGEST_PAUSE: i64 = 24 * 3_600_000;
/// Entries of each list.
const MOST: usize = 64;
/// Who has its share of cells and wants more may ask again after this.
const PATIENCE: i64 = 50;
/// Two resets that lie no further apart are one.
const SAME_RESET: i64 = 1000;

/// What is stored, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedLimit {
    /// When the latest hand-out begins.
    last: i64,
    /// Hand-outs that may still be used.
    live: Vec<Live>,
    /// What was used, or has ended; ordered by `until`.
    past: Vec<Past>,
    /// The longest window that was asked about while there is a past: a limit that is made shorter
    /// and longer again forgets nothing.
    window: i64,
    /// Nothing begins before.
    pause: i64,
    /// What the API says is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Left>,
    /// Who asked lately.
    askers: Vec<Asker>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Live {
    holder: String,
    id: u64,
    cells: u32,
    from: i64,
    until: i64,
    /// Whether the present `left` was lowered by it.
    counted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, i64)", into = "(u32, i64)")]
struct Past {
    cells: u32,
    until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    count: u64,
    reset: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, i64)", into = "(String, i64)")]
struct Asker {
    holder: String,
    seen: i64,
}

/// The stored text is not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored state of a limit is damaged")]
pub struct Damaged;

impl SharedLimit {
    /// Reads what is stored; nothing stored is a limit that nobody has used.
    pub fn parse(text: Option<&str>) -> Result<Self, Damaged> {
        text.map_or_else(|| Ok(Self::default()), |text| serde_json::from_str(text).or(Err(Damaged)))
    }

    /// Instead of a damaged state: as if everything had just been used.
    pub fn used_up(rate: Option<Rate>, now: Timestamp) -> Self {
        let past = rate.map(|rate| Past { cells: rate.count, until: now.0 });
        Self { last: now.0, past: past.into_iter().collect(), ..Self::default() }
    }

    /// The text to store.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Makes the next state.
    pub fn next(&mut self, call: &Call<'_>) -> Reply {
        let now = call.now.0;
        self.follow(now);
        self.settle(call);
        self.end(now, call);
        if let Some(pause) = call.pause {
            self.pause = self.pause.max(pause.0.min(now.saturating_add(LONGEST_PAUSE)));
        }
        if let Some(learned) = call.learned {
            self.learn(learned, now);
        }
        let (handed, again) = match call.rate {
            Some(rate) if call.want > 0 => self.reserve(call, rate),
            Some(_) | None => (Vec::new(), now),
        };
        if call.leaving {
            self.askers.retain(|asker| asker.holder != call.holder);
        }
        Reply { handed, again: Timestamp(again), pause: Timestamp(self.pause) }
    }

    /// Follows a clock that stepped back. The latest hand-out was at most [`AHEAD`] in the future
    /// when it was made, so that the step is larger than `last − now − LIFE`: all times move back by
    /// this, and not by more, or cells would come back too early.
    fn follow(&mut self, now: i64) {
        if self.last <= now.saturating_add(STEP) {
            return;
        }
        let step = self.last - now - LIFE;
        self.last -= step;
        self.pause = self.pause.saturating_sub(step);
        for live in &mut self.live {
            live.from -= step;
            live.until -= step;
        }
        for past in &mut self.past {
            past.until -= step;
        }
        if let Some(left) = &mut self.left {
            left.reset = left.reset.saturating_sub(step);
        }
        for asker in &mut self.askers {
            asker.seen -= step;
        }
    }

    /// Takes back what the process will not use any more.
    fn settle(&mut self, call: &Call<'_>) {
        let mut back = 0;
        let Self { live, past, .. } = self;
        live.retain(|live| {
            if live.holder != call.holder {
                return true;
            }
            let lost = call
                .abandoned
                .iter()
                .any(|first| (*first..first + PIECES as u64).contains(&live.id));
            let settled = call.settled.iter().find(|settled| settled.id == live.id);
            let used = match settled {
                Some(settled) => settled.used.min(live.cells),
                None if lost => 0,
                None => return true,
            };
            if let Some(settled) = settled.filter(|_| used > 0) {
                past.push(Past { cells: used, until: live.until.min(settled.last_start.0) });
            }
            if live.counted {
                back += u64::from(live.cells - used);
            }
            false
        });
        if let Some(left) = &mut self.left {
            left.count = left.count.saturating_add(back);
        }
    }

    /// Moves ended hand-outs to the past, and drops what no window can hold any more.
    fn end(&mut self, now: i64, call: &Call<'_>) {
        self.window = self.window.max(call.rate.map_or(0, |rate| window(rate, call.slack)));
        self.live.sort_by_key(|live| live.until);
        let ended = self.live.iter().take_while(|live| live.until <= now).count();
        // Beyond the bound the oldest lose the chance to be settled, nothing else.
        let ended = ended.max(self.live.len().saturating_sub(MOST));
        let ended =
            self.live.drain(..ended).map(|live| Past { cells: live.cells, until: live.until });
        self.past.extend(ended);
        self.past.retain(|past| past.until + self.window > now);
        if self.past.is_empty() && self.live.is_empty() {
            self.window = 0;
        }
        self.past.sort_by_key(|past| past.until);
        while self.past.len() > MOST {
            self.merge();
        }
        self.left = self.left.filter(|left| left.reset > now);
        self.pause = self.pause.min(now.saturating_add(LONGEST_PAUSE));
    }

    /// Makes one of two neighbours, as late as the later one: those where this keeps the fewest
    /// cells for the shortest time too long.
    fn merge(&mut self) {
        let costs = self.past.windows(2).map(|pair| match pair {
            [one, two] => (two.until - one.until).saturating_mul(i64::from(one.cells)),
            _ => i64::MAX,
        });
        let Some((index, _)) = costs.enumerate().min_by_key(|(_, cost)| *cost) else { return };
        let cells = self.past.remove(index).cells;
        if let Some(later) = self.past.get_mut(index) {
            later.cells = later.cells.saturating_add(cells);
        }
    }

    fn learn(&mut self, learned: Learned, now: i64) {
        // As pauses: an API that is mistaken stops nobody for longer.
        let reset = learned.reset.0.min(now.saturating_add(LONGEST_PAUSE));
        let new = Left { count: learned.count, reset };
        if new.reset <= now {
            return;
        }
        let left = match self.left {
            Some(known)
                if learned.named && known.reset.abs_diff(new.reset) <= SAME_RESET as u64 =>
            {
                if known.count <= new.count {
                    return;
                }
                Left { count: new.count, reset: known.reset.max(new.reset) }
            }
            Some(_) | None => new,
        };
        self.left = Some(left);
        for live in &mut self.live {
            live.counted = false;
        }
    }

    /// Hands out cells; returns them, and when asking again makes sense.
    fn reserve(&mut self, call: &Call<'_>, rate: Rate) -> (Vec<Handed>, i64) {
        let now = call.now.0;
        let window = window(rate, call.slack);
        let mine = self.live.iter().filter(|live| live.holder == call.holder);
        let mine = mine.fold(0_u32, |sum, live| sum.saturating_add(live.cells));
        let share = rate.count.div_ceil(self.active(call.holder, rate, now));
        let mut want = call.want.min(share.saturating_sub(mine));
        let sated = want == 0;
        let mut at = now.max(self.last).max(self.pause);
        let mut handed = Vec::new();
        while want > 0 && at <= now + AHEAD && handed.len() < PIECES {
            let out = self.out(at, window);
            let left = self.left.filter(|left| left.reset > at);
            let left = left.map_or(u32::MAX, |left| u32::try_from(left.count).unwrap_or(u32::MAX));
            let cells = rate.count.saturating_sub(out).min(want).min(left);
            if cells > 0 {
                let id = call.first_id + handed.len() as u64;
                let until = (at + term(rate, out.saturating_add(cells))).min(now + LIFE);
                handed.push(self.hand_out(Live {
                    holder: call.holder.to_owned(),
                    id,
                    cells,
                    from: at,
                    until,
                    counted: false,
                }));
                want -= cells;
            }
            if want > 0 {
                at = self.after(at, window);
            }
        }
        let again = match (sated, want) {
            (true, _) => at.max(now + PATIENCE),
            (false, 0) => now,
            (false, _) => at,
        };
        self.note(call.holder, again.max(now));
        (handed, again)
    }

    /// How many processes share the limit just now, this one included. Those who were told to wait
    /// count until then.
    fn active(&mut self, holder: &str, rate: Rate, now: i64) -> u32 {
        let memory = (2 * ms(rate.window)).clamp(2000, 10_000);
        self.askers.retain(|asker| asker.seen + memory > now);
        let others = self.askers.iter().filter(|asker| asker.holder != holder).count();
        u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn note(&mut self, holder: &str, seen: i64) {
        self.askers.retain(|asker| asker.holder != holder);
        self.askers.push(Asker { holder: holder.to_owned(), seen });
        if self.askers.len() > MOST {
            self.askers.remove(0);
        }
    }

    /// Cells that a window which ends at `at` may hold.
    fn out(&self, at: i64, window: i64) -> u32 {
        let live = self.live.iter().map(|live| (live.cells, live.until));
        let all = self.past.iter().map(|past| (past.cells, past.until)).chain(live);
        let out = all.filter(|(_, until)| until + window > at).map(|(cells, _)| cells);
        out.fold(0, u32::saturating_add)
    }

    fn hand_out(&mut self, mut live: Live) -> Handed {
        let Live { id, cells, from, until, .. } = live;
        self.last = from;
        for left in self.left.iter_mut().filter(|left| left.reset > from) {
            left.count = left.count.saturating_sub(u64::from(cells));
            live.counted = true;
        }
        self.live.push(live);
        Handed { id, cells, from: Timestamp(from), until: Timestamp(until) }
    }

    /// When more may be free than at `at`.
    fn after(&self, at: i64, window: i64) -> i64 {
        if let Some(left) = self.left.filter(|left| left.count == 0 && left.reset > at) {
            return left.reset;
        }
        let live = self.live.iter().map(|live| live.until);
        let ends = self.past.iter().map(|past| past.until).chain(live);
        let ends = ends.map(|until| until + window).filter(|end| *end > at);
        ends.min().unwrap_or(at + 1)
    }
}

/// How long cells last: short ones where the limit is nearly used up, so that little of it is lost
/// between the end of a cell and its start.
fn term(rate: Rate, out: u32) -> i64 {
    let nearly = u64::from(out) * 10 > u64::from(rate.count) * 8;
    if nearly { ms(rate.window) / 5 } else { ms(rate.window) }
}

fn window(rate: Rate, slack: Duration) -> i64 {
    ms(rate.window) + ms(slack)
}

/// Milliseconds; no window is longer than a century.
fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

impl From<(u32, i64)> for Past {
    fn from((cells, until): (u32, i64)) -> Self {
        Self { cells, until }
    }
}

impl From<Past> for (u32, i64) {
    fn from(past: Past) -> Self {
        (past.cells, past.until)
    }
}

impl From<(String, i64)> for Asker {
    fn from((holder, seen): (String, i64)) -> Self {
        Self { holder, seen }
    }
}

impl From<Asker> for (String, i64) {
    fn from(asker: Asker) -> Self {
        (asker.holder, asker.seen)
    }
}
