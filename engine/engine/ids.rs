//! Ids: ordered by time, unique without asking any other process.

use crate::{
    model::{
        name::{self, RunId},
        time::Timestamp,
    },
    value::random,
};

/// A new run's id.
pub fn run(now: Timestamp) -> RunId {
    RunId::new(now, random())
}

/// What distinguishes an account from an earlier or later one of the same name.
pub fn incarnation(now: Timestamp) -> String {
    format!("acc_{}", name::ordered(now, random()))
}

/// A new key of the server: what is shown of it.
pub fn api_key(now: Timestamp) -> String {
    format!("key_{}", name::ordered(now, random()))
}

/// Without randomness the time alone still orders ids; a clash is refused by the store.
fn random() -> [u8; 10] {
    random::bytes().unwrap_or_default()
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
