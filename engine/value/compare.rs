//! Numbers by value: `1`, `1.0` and `10e-1` are equal, and no digit is lost on the way.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Which of two numbers is larger, exactly.
pub fn order(a: &Number, b: &Number) -> Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => Decimal::of(a).compare(&Decimal::of(b)),
    }
}

/// Whether two values are the same; numbers are compared by value, objects without order.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// A text that is the same for equal values and different for others: a key for sets.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => {
            let Decimal { negative, digits, point } = Decimal::of(number);
            text.push(if negative { '-' } else { '+' });
            text.push_str(&digits);
            text.push('e');
            text.push_str(&point.to_string());
        }
        Value::Array(list) => {
            text.push('[');
            for item in list {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in members {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// `0.digits × 10^point`, without zeros at either end; no digits is zero.
#[derive(Debug, PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    point: i64,
}

impl Decimal {
    fn of(number: &Number) -> Self {
        let text = number.as_str();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // An exponent beyond 64 bits is as good as infinite.
        let limit = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        let exponent = exponent.parse::<i64>().unwrap_or(limit);
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let len = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
        let shift = len(whole) - (len(&all) - len(digits));
        let digits = digits.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Self { negative: false, digits, point: 0 };
        }
        Self { negative, digits, point: exponent.saturating_add(shift) }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let size = |d: &Self| (!d.digits.is_empty(), d.point);
        let magnitude =
            || size(self).cmp(&size(other)).then_with(|| self.digits.cmp(&other.digits));
        match (self.negative, other.negative) {
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_value() {
        for (a, order, b) in [
            ("1", "=", "1.0"),
            ("10e-1", "=", "1"),
            ("0", "=", "-0.0"),
            ("0.1", "<", "0.2"),
            ("-5", "<", "3"),
            ("-5", "<", "-4.9"),
            ("9", "<", "10"),
            ("0.09", "<", "0.1"),
            ("0", "<", "0.0001"),
            ("-0.0001", "<", "0"),
            ("9007199254740993", ">", "9007199254740992"),
            ("123456789012345678901234567890", ">", "123456789012345678901234567889"),
            ("1e400", ">", "1e399"),
            ("1e99999999999999999999", ">", "2"),
            ("1e-99999999999999999999", "<", "2"),
        ] {
            let found = super::order(&number(a), &number(b));
            let wanted = match order {
                "<" => Ordering::Less,
                "=" => Ordering::Equal,
                _ => Ordering::Greater,
            };
            assert_eq!(found, wanted, "{a} {order} {b}");
            assert_eq!(super::order(&number(b), &number(a)), wanted.reverse(), "{b} vs {a}");
        }
    }

    #[test]
    fn values_are_equal_by_value() {
        let a: Value = serde_json::from_str(r#"{"a": 1, "b": [1.50, "x"]}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"b": [1.5, "x"], "a": 1.0}"#).unwrap();
        assert!(equal(&a, &b));
        assert_eq!(canonical(&a), canonical(&b));
        assert!(!equal(&json!("1"), &json!(1)));
        assert_ne!(canonical(&json!("1")), canonical(&json!(1)));
        assert!(!equal(&json!({"a": 1}), &json!({"b": 1})));
    }

    proptest! {
        #[test]
        fn small_numbers_compare_like_floats(a in -1.0e6..1.0e6f64, b in -1.0e6..1.0e6f64) {
            let number = |x: f64| Number::from_f64(x).unwrap();
            prop_assert_eq!(order(&number(a), &number(b)), a.partial_cmp(&b).unwrap());
        }
    }
}
