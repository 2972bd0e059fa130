//! Patterns of the formats against values of answers.

use serde_json::Value;

use crate::{
    model::rule::Pattern,
    value::{equal, order},
};

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
        Pattern::Gte(bound) => {
            value.and_then(Value::as_number).is_some_and(|n| order(n, bound).is_ge())
        }
        Pattern::Lt(bound) => {
            value.and_then(Value::as_number).is_some_and(|n| order(n, bound).is_lt())
        }
    };
    plain
        || value
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|element| fits(pattern, Some(element))))
}

/// Whether a header field fits. It is a text; a pattern that speaks of numbers reads it as one.
pub fn fits_text(pattern: &Pattern, field: Option<&str>) -> bool {
    let number = || {
        let number = field?.trim().parse::<serde_json::Number>().ok()?;
        Some(Value::Number(number))
    };
    match pattern {
        Pattern::Any(patterns) => patterns.iter().any(|pattern| fits_text(pattern, field)),
        Pattern::All(patterns) => patterns.iter().all(|pattern| fits_text(pattern, field)),
        Pattern::Not(pattern) => !fits_text(pattern, field),
        Pattern::Is(Value::Number(_)) | Pattern::Gte(_) | Pattern::Lt(_) => {
            number().is_some_and(|number| fits(pattern, Some(&number)))
        }
        Pattern::Is(_) | Pattern::Keys(_) | Pattern::Regex(_) | Pattern::Exists(_) => {
            fits(pattern, field.map(Value::from).as_ref())
        }
    }
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
            (Pattern::Gte(2.into()), json!(2.0), true),
            (
                Pattern::Gte(9_007_199_254_740_993_u64.into()),
                json!(9_007_199_254_740_992_u64),
                false,
            ),
            (Pattern::Lt(2.into()), json!("1"), false),
            (Pattern::Any(vec![is(json!(1)), is(json!(2))]), json!(2), true),
        ] {
            assert_eq!(fits(&pattern, Some(&value)), expected, "{pattern:?} {value}");
        }
        assert!(fits(&Pattern::Exists(false), None));
        assert!(!fits(&Pattern::Is(Value::Null), None));
    }

    #[test]
    fn a_header_is_a_text_that_numbers_are_read_from() {
        for (pattern, field, expected) in [
            (Pattern::Is(json!(0)), Some("0"), true),
            (Pattern::Is(json!(0)), Some(" 0 "), true),
            (Pattern::Is(json!("0")), Some("0"), true),
            (Pattern::Is(json!(0)), Some("none"), false),
            (Pattern::Is(json!(0)), None, false),
            (Pattern::Gte(5.into()), Some("7"), true),
            (Pattern::Lt(5.into()), Some("7"), false),
            (Pattern::Any(vec![Pattern::Is(json!(1)), Pattern::Is(json!("x"))]), Some("x"), true),
            (Pattern::Not(Box::new(Pattern::Is(json!(1)))), Some("1"), false),
            (Pattern::Exists(false), None, true),
        ] {
            assert_eq!(fits_text(&pattern, field), expected, "{pattern:?} {field:?}");
        }
    }
}
