//! Ids: ordered by time, unique without asking anybody.

use crate::model::time::Timestamp;

/// Digits that cannot be mistaken for one another (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A run's id: `run_` and 26 digits.
pub fn run(now: Timestamp) -> String {
    made("run_", now)
}

/// What tells an account from another of the same name.
pub fn incarnation(now: Timestamp) -> String {
    made("acc_", now)
}

/// A prefix and 26 digits: 48 bits of milliseconds, then 80 random ones (the layout of a ULID).
fn made(prefix: &str, now: Timestamp) -> String {
    let mut random = [0_u8; 10];
    // Without randomness the time alone still orders runs; a clash is refused by the store.
    // The system's own source: the crypto library's takes tens of milliseconds to wake up.
    let _filled = getrandom::fill(&mut random);
    let time = u128::from(now.0.unsigned_abs() & 0xffff_ffff_ffff);
    let low = random.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    let bits = (time << 80) | low;
    let mut id = String::with_capacity(30);
    id.push_str(prefix);
    for position in (0..26).rev() {
        let digit = usize::try_from((bits >> (position * 5)) & 31).unwrap_or(0);
        id.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_by_time_and_differ() {
        let (one, two) = (run(Timestamp(1_700_000_000_000)), run(Timestamp(1_700_000_000_001)));
        assert!(one < two, "{one} {two}");
        assert_eq!(one.len(), 30);
        assert_ne!(run(Timestamp(1)), run(Timestamp(1)));
    }
}
