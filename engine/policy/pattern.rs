//! Patterns of the formats against values of answers.

use serde_json::Value;

use crate::{model::rule::Pattern, value::equal};

/// Whether a value fits. Types are compared: `"1"` is not `1`. Against a list a pattern fits if
/// any element does; `$exists` and `$not` look at the list itself.
pub fn fits(pattern: &Pattern, value: Option<&Value>) -> bool {
    let plain = match pattern {
        Pattern::Is(expected) => value.is_some_and(|value| equal(expected, value)),
        Pattern::Any(patterns) => return patterns.iter().any(|pattern| fits(pattern, value)),
        Pattern::All(patterns) => return patterns.iter().all(|pattern| fits(pattern, value)),
        Pattern::Not(pattern) => return !fits(pattern, value),
        Pattern::Exists(wanted) => return *wanted == value.is_some_and(|value| !value.is_null()),
        Pattern::Keys(members) => value
            .and_then(Value::as_object)
            .is_some_and(|map| members.iter().all(|(name, pattern)| fits(pattern, map.get(name)))),
        Pattern::Regex(regex) => value.and_then(Value::as_str).is_some_and(|t| regex.is_match(t)),
        Pattern::Gte(bound) => value.and_then(Value::as_f64).is_some_and(|n| n >= *bound),
        Pattern::Lt(bound) => value.and_then(Value::as_f64).is_some_and(|n| n < *bound),
    };
    plain
        || value
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|element| fits(pattern, Some(element))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_compared_and_lists_are_searched() {
        let is = |value: Value| Pattern::Is(value);
        let keys = |name: &str, pattern| Pattern::Keys(vec![(name.to_owned(), pattern)]);
        for (pattern, value, expected) in [
            (is(json!(false)), json!("false"), false),
            (is(json!(1)), json!(1.0), true),
            (is(json!("1")), json!(1), false),
            // No digit is lost: helpers and patterns mean the same by "equal".
            (is(json!(0.1)), serde_json::from_str("0.10000000000000000001").unwrap(), false),
            (is(json!(0.1)), serde_json::from_str("0.100").unwrap(), true),
            (is(json!("a")), json!(["b", "a"]), true),
            (keys("reason", is(json!("x"))), json!([{"reason": "y"}, {"reason": "x"}]), true),
            (keys("reason", is(json!("x"))), json!([]), false),
            (Pattern::Exists(true), json!(null), false),
            (Pattern::Exists(true), json!([]), true),
            (Pattern::Not(Box::new(is(json!(1)))), json!(2), true),
            (Pattern::Gte(2.0), json!(2), true),
            (Pattern::Lt(2.0), json!("1"), false),
            (Pattern::Any(vec![is(json!(1)), is(json!(2))]), json!(2), true),
        ] {
            assert_eq!(fits(&pattern, Some(&value)), expected, "{pattern:?} {value}");
        }
        assert!(fits(&Pattern::Exists(false), None));
        assert!(!fits(&Pattern::Is(Value::Null), None));
    }
}
