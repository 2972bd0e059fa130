//! The `RateLimit` fields (draft-ietf-httpapi-ratelimit-headers) and their older three-header
//! form. Malformed fields are ignored, as the draft demands.

use std::time::Duration;

use crate::{
    model::{
        http::{Fields, HeaderMap},
        time::Timestamp,
    },
    policy::wait::LONGEST,
};

/// What an answer tells about a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observation {
    /// How many are left.
    pub remaining: Option<u64>,
    /// When it fills again.
    pub reset: Option<Timestamp>,
}

/// Reads whichever form is there; the scarcest policy of a list counts.
pub fn observe(headers: &HeaderMap, now: Timestamp) -> Observation {
    let mut scarcest: Option<(u64, Option<Timestamp>)> = None;
    for field in headers.texts("ratelimit") {
        // One policy in a field of its own members, before lists of policies came.
        let old = field.contains("remaining=").then_some(&*field);
        for item in old.into_iter().chain(field.split(',').filter(|_| old.is_none())) {
            let Some(found) = item_of(item, now) else { continue };
            if scarcest.is_none_or(|best| found.0 < best.0) {
                scarcest = Some(found);
            }
        }
    }
    if let Some((remaining, reset)) = scarcest {
        return Observation { remaining: Some(remaining), reset };
    }
    for prefix in ["ratelimit", "x-ratelimit"] {
        let get = |name: &str| headers.text(format!("{prefix}-{name}"));
        let Some(remaining) = get("remaining").and_then(|text| text.trim().parse().ok()) else {
            continue;
        };
        let reset = get("reset").and_then(|text| time(text.trim().parse().ok()?, now));
        return Observation { remaining: Some(remaining), reset };
    }
    Observation::default()
}

/// `"name";r=50;t=30`, or the older `limit=100, remaining=50, reset=30` in one field.
fn item_of(item: &str, now: Timestamp) -> Option<(u64, Option<Timestamp>)> {
    let parameter = |name: &str| {
        item.split([';', ','])
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')?.trim().parse().ok())
    };
    let remaining: u64 = parameter("r").or_else(|| parameter("remaining"))?;
    let reset: Option<u64> = parameter("t").or_else(|| parameter("reset"));
    Some((remaining, reset.and_then(|seconds| time(seconds, now))))
}

/// A reset counts seconds from now; a number that could only be an epoch is one. What is not within
/// the coming year says nothing, as with waits.
fn time(seconds: u64, now: Timestamp) -> Option<Timestamp> {
    let at = if seconds > 1_000_000_000 {
        Timestamp(i64::try_from(seconds.saturating_mul(1000)).ok()?)
    } else {
        now.plus(Duration::from_secs(seconds))
    };
    let ahead = at.since(now);
    (!ahead.is_zero() && ahead <= LONGEST).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read_and_nonsense_is_ignored() {
        let now = Timestamp(1_700_000_000_000);
        for (fields, remaining, reset) in [
            (vec![("ratelimit", "\"default\";r=50;t=30")], Some(50), Some(30_000)),
            (vec![("ratelimit", "\"hour\";r=900, \"second\";r=0;t=1")], Some(0), Some(1_000)),
            (vec![("ratelimit-remaining", "3"), ("ratelimit-reset", "60")], Some(3), Some(60_000)),
            (
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000060")],
                Some(0),
                Some(60_000),
            ),
            (vec![("ratelimit", "limit=100, remaining=0, reset=9")], Some(0), Some(9_000)),
            (
                vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1600000000")],
                Some(0),
                None,
            ),
            (vec![("ratelimit", "\"a\";r=0;t=99999999999")], Some(0), None),
            (vec![("ratelimit", "garbage")], None, None),
            (vec![("x-ratelimit-remaining", "many")], None, None),
            (vec![], None, None),
        ] {
            let fields = fields.into_iter();
            let fields = fields.map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
            let headers: HeaderMap = fields.collect();
            let reset = reset.map(|ms: i64| Timestamp(now.0 + ms));
            assert_eq!(observe(&headers, now), Observation { remaining, reset });
        }
    }
}
