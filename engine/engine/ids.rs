//! Ids: ordered by time, unique without asking any other process.

use crate::model::{
    name::{self, RunId},
    time::Timestamp,
};

/// A new run's id.
pub fn run(now: Timestamp) -> RunId {
    RunId::new(now, random())
}

/// What distinguishes an account from an earlier or later one of the same name.
pub fn incarnation(now: Timestamp) -> String {
    format!("acc_{}", name::ordered(now, random()))
}

/// Without randomness the time alone still orders ids; a clash is refused by the store.
fn random() -> [u8; 10] {
    let mut random = [0; 10];
    // The system's own source: the crypto library's takes tens of milliseconds to wake up.
    let _filled = getrandom::fill(&mut random);
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_moment_differ() {
        assert_ne!(run(Timestamp(1)), run(Timestamp(1)));
        assert_ne!(incarnation(Timestamp(1)), incarnation(Timestamp(1)));
    }
}
