//! What a run has written so far, whatever becomes of it: a caller who does not know it does it
//! twice.

use std::collections::{HashMap, HashSet};

use crate::model::{
    failure::{Code, Failure, Write},
    http::Method,
};

/// So many writes are named; all of them are counted.
const MOST: usize = 100;
/// So many requests of unknown fate are told apart; it stays unknown beyond them.
const MOST_OPEN: usize = 10_000;

/// Which request of a run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Turn {
    /// Index of the item, within an `each`.
    pub item: Option<u64>,
    /// From 1.
    pub page: u32,
}

/// Whether the same work may be done again, by what has become of its writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeat {
    /// Nothing was done: every write was refused, or none was sent.
    #[default]
    Free,
    /// Every write that may have been carried out had a key by which the API knows it again, and
    /// will have it again under the same key of ours.
    WithKey,
    /// It could be done twice.
    Never,
}

/// A write.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The step's id, or `request`.
    pub step: &'a str,
    /// Which request of the run it is.
    pub turn: Turn,
    /// The method.
    pub method: &'a Method,
    /// Whether it had a key by which the API knows it again, and will have it whenever this work is
    /// repeated.
    pub keyed: bool,
}

/// What has become of the writes of a run.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// How many were answered with success.
    pub executed: u64,
    /// The first of these.
    pub writes: Vec<Write>,
    /// Whether there are some whose fate is unknown.
    pub maybe_executed: bool,
    /// See there.
    pub repeat: Repeat,
}

impl Written {
    /// A write was answered with success.
    pub fn executed(&mut self, sent: Sent<'_>, status: u16) {
        self.sent(sent);
        self.executed += 1;
        if self.writes.len() < MOST {
            let Sent { step, turn, method, .. } = sent;
            let (step, method) = (step.to_owned(), method.as_str().to_owned());
            self.writes.push(Write { step, item: turn.item, page: turn.page, method, status });
        }
    }

    /// The failure, which says it. After a write it is not the input's: whoever corrects it and calls
    /// again would do it twice.
    pub fn told(self, mut failure: Failure) -> Failure {
        failure.maybe_executed |= self.maybe_executed;
        (failure.executed, failure.writes) = (self.executed, self.writes);
        let written = failure.executed > 0 || failure.maybe_executed;
        if written && failure.code == Code::InvalidInput {
            failure.code =
                if failure.status.is_some() { Code::ProviderError } else { Code::Template };
        }
        failure
    }

    /// A write was sent that may have been carried out.
    fn sent(&mut self, sent: Sent<'_>) {
        self.repeat = match (self.repeat, sent.keyed) {
            (Repeat::Never, _) | (_, false) => Repeat::Never,
            (Repeat::Free | Repeat::WithKey, true) => Repeat::WithKey,
        };
    }
}

/// The writes of one run.
#[derive(Debug, Default)]
pub struct Writes {
    written: Written,
    /// Step and turn of requests that were sent and whose fate is unknown.
    open: HashSet<(String, Turn)>,
    /// Those of items that are under way.
    items: HashMap<u64, Written>,
}

impl Writes {
    /// A write was answered with success, maybe after tries of unknown fate.
    pub fn executed(&mut self, sent: Sent<'_>, status: u16) {
        if !self.open.is_empty() {
            self.open.remove(&(sent.step.to_owned(), sent.turn));
        }
        self.written.executed(sent, status);
        if let Some(item) = self.item(sent) {
            item.executed(sent, status);
            item.maybe_executed = false;
        }
    }

    /// A write was sent, and nobody can say what has become of it.
    pub fn unknown(&mut self, sent: Sent<'_>) {
        self.written.sent(sent);
        if let Some(item) = self.item(sent) {
            item.maybe_executed = true;
        }
        if self.open.len() < MOST_OPEN {
            self.open.insert((sent.step.to_owned(), sent.turn));
        }
    }

    /// An item of the step at hand begins.
    pub fn begin(&mut self, item: u64) {
        self.items.insert(item, Written::default());
    }

    /// It has ended; what has become of its writes.
    pub fn end(&mut self, item: u64) -> Written {
        self.items.remove(&item).unwrap_or_default()
    }

    fn item(&mut self, sent: Sent<'_>) -> Option<&mut Written> {
        self.items.get_mut(&sent.turn.item?)
    }

    /// What has become of them.
    pub fn written(&self) -> Written {
        Written { maybe_executed: !self.open.is_empty(), ..self.written.clone() }
    }

    /// Says in the failure of the run what has happened.
    pub fn describe(&self, failure: &mut Failure) {
        *failure = self.written().told(failure.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Turn = Turn { item: None, page: 1 };

    fn sent(turn: Turn, keyed: bool) -> Sent<'static> {
        Sent { step: "a", turn, method: &Method::POST, keyed }
    }

    #[test]
    fn a_repeated_write_that_succeeds_is_not_unknown() {
        let mut writes = Writes::default();
        writes.unknown(sent(FIRST, true));
        let mut failure = Failure::new(Code::Timeout, "x");
        writes.describe(&mut failure);
        assert_eq!((failure.maybe_executed, failure.executed), (true, 0));
        writes.executed(sent(FIRST, true), 201);
        let mut failure = Failure::new(Code::InvalidInput, "x");
        failure.status = Some(422);
        writes.describe(&mut failure);
        assert_eq!((failure.maybe_executed, failure.executed), (false, 1));
        assert_eq!(failure.code, Code::ProviderError);
        assert_eq!(failure.writes.first().map(|write| write.status), Some(201));
    }

    #[test]
    fn all_are_counted_and_the_first_are_named() {
        let mut writes = Writes::default();
        for item in 0..1000 {
            writes.executed(sent(Turn { item: Some(item), page: 1 }, false), 200);
        }
        let mut failure = Failure::new(Code::InvalidInput, "x");
        writes.describe(&mut failure);
        assert_eq!((failure.executed, failure.writes.len()), (1000, MOST));
        assert_eq!(failure.code, Code::Template);
    }

    #[test]
    fn the_input_is_not_to_blame_for_what_may_have_been_done() {
        let mut failure = Failure::new(Code::InvalidInput, "x");
        (failure.status, failure.maybe_executed) = (Some(422), true);
        Writes::default().describe(&mut failure);
        assert_eq!(failure.code, Code::ProviderError);
        let mut failure = Failure::new(Code::InvalidInput, "x");
        Writes::default().describe(&mut failure);
        assert_eq!(failure.code, Code::InvalidInput);
    }

    #[test]
    fn work_may_be_repeated_if_the_api_knows_all_of_its_writes_again() {
        let mut writes = Writes::default();
        assert_eq!(writes.written().repeat, Repeat::Free);
        writes.unknown(sent(FIRST, true));
        writes.executed(sent(FIRST, true), 200);
        assert_eq!(writes.written().repeat, Repeat::WithKey);
        writes.unknown(sent(FIRST, false));
        writes.executed(sent(FIRST, true), 200);
        assert_eq!(writes.written().repeat, Repeat::Never);
    }
}
