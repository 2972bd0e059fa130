//! Idempotency keys: the same for all tries of one step execution, another for every other.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// Derived from run, step, item and page, so that a resumed run uses it again. 32 hex digits.
pub fn idempotency(run: &str, step: &str, (item, page): (Option<u64>, u32)) -> String {
    let item = item.map_or_else(String::new, |item| item.to_string());
    let hash = digest(&SHA256, format!("{run}\n{step}\n{item}\n{page}").as_bytes());
    let mut key = String::with_capacity(32);
    for byte in hash.as_ref().iter().take(16) {
        // Writing to a string cannot fail.
        let _written = write!(key, "{byte:02x}");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stable_and_differ_by_execution() {
        let key = idempotency("run_1", "pay", (Some(3), 1));
        assert_eq!(key, idempotency("run_1", "pay", (Some(3), 1)));
        assert_eq!(key.len(), 32);
        for other in [
            ("run_2", "pay", (Some(3), 1)),
            ("run_1", "pay", (None, 1)),
            ("run_1", "pay", (Some(3), 2)),
            ("run_1", "pa", (Some(3), 1)),
        ] {
            assert_ne!(key, idempotency(other.0, other.1, other.2));
        }
    }
}
