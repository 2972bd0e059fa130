//! What a run has written so far, whatever becomes of it: a caller who does not know it does it
//! twice.

use std::collections::HashSet;

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

/// The writes of one run.
#[derive(Debug, Default)]
pub struct Writes {
    executed: u64,
    named: Vec<Write>,
    /// Step and turn of requests that were sent and whose fate is unknown.
    open: HashSet<(String, Turn)>,
}

impl Writes {
    /// A write was answered with success, maybe after tries of unknown fate.
    pub fn executed(&mut self, step: &str, turn: Turn, method: &Method, status: u16) {
        self.settled(step, turn);
        self.executed += 1;
        if self.named.len() < MOST {
            let (step, method) = (step.to_owned(), method.as_str().to_owned());
            self.named.push(Write { step, item: turn.item, page: turn.page, method, status });
        }
    }

    /// A write was sent, and nobody can say what has become of it.
    pub fn unknown(&mut self, step: &str, turn: Turn) {
        if self.open.len() < MOST_OPEN {
            self.open.insert((step.to_owned(), turn));
        }
    }

    /// It is known what has become of a write: it was not carried out, nor was an earlier try.
    fn settled(&mut self, step: &str, turn: Turn) {
        if !self.open.is_empty() {
            self.open.remove(&(step.to_owned(), turn));
        }
    }

    /// Says in the failure of the run what has happened.
    pub fn describe(&self, failure: &mut Failure) {
        failure.maybe_executed |= !self.open.is_empty();
        failure.executed = self.executed;
        failure.writes.clone_from(&self.named);
        // Whoever corrects his input and calls again would do it twice.
        if self.executed > 0 && failure.code == Code::InvalidInput {
            failure.code =
                if failure.status.is_some() { Code::ProviderError } else { Code::Template };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Turn = Turn { item: None, page: 1 };

    #[test]
    fn a_repeated_write_that_succeeds_is_not_unknown() {
        let mut writes = Writes::default();
        writes.unknown("a", FIRST);
        let mut failure = Failure::new(Code::Timeout, "x");
        writes.describe(&mut failure);
        assert_eq!((failure.maybe_executed, failure.executed), (true, 0));
        writes.executed("a", FIRST, &Method::POST, 201);
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
            writes.executed("a", Turn { item: Some(item), page: 1 }, &Method::POST, 200);
        }
        let mut failure = Failure::new(Code::InvalidInput, "x");
        writes.describe(&mut failure);
        assert_eq!((failure.executed, failure.writes.len()), (1000, MOST));
        assert_eq!(failure.code, Code::Template);
    }
}
