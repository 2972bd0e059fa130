//! Idempotency keys: the same for all tries of one step execution, another for every other.

use crate::{run::writes::Turn, sign::digest::sha256, value::hex};

/// Derived from run, step, item and page. 32 hex digits.
pub fn idempotency(run: &str, step: &str, turn: Turn) -> String {
    let Turn { item, page } = turn;
    let item = item.map_or_else(String::new, |item| item.to_string());
    let hash = sha256(format!("{run}\n{step}\n{item}\n{page}").as_bytes());
    hex::encode(hash.first_chunk::<16>().unwrap_or(&[0; 16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stable_and_differ_by_execution() {
        let turn = |item, page| Turn { item, page };
        let key = idempotency("run_1", "pay", turn(Some(3), 1));
        assert_eq!(key, idempotency("run_1", "pay", turn(Some(3), 1)));
        assert_eq!(key.len(), 32);
        for other in [
            ("run_2", "pay", turn(Some(3), 1)),
            ("run_1", "pay", turn(None, 1)),
            ("run_1", "pay", turn(Some(3), 2)),
            ("run_1", "pa", turn(Some(3), 1)),
        ] {
            assert_ne!(key, idempotency(other.0, other.1, other.2));
        }
    }
}
