//! `opt default first exists` · `eq ne lt lte gt gte and or not`

use std::{borrow::Cow, cmp::Ordering};

use serde_json::{Number, Value};

use crate::template::helpers::args::{Args, Complaint};

/// The first that is neither absent nor null.
pub fn first(args: Args<'_>) -> Option<Cow<'_, Value>> {
    args.args.into_iter().flatten().find(|value| !value.is_null())
}

/// Whether the first argument is there and not null.
pub fn exists(args: &Args<'_>) -> bool {
    args.at(0).is_some_and(|value| !value.is_null())
}

/// Whether both are the same; absent is the same as nothing, not even as absent.
pub fn eq(args: &Args<'_>) -> bool {
    match (args.at(0), args.at(1)) {
        (Some(one), Some(other)) => equal(one, other),
        _ => false,
    }
}

/// Equality of JSON values, numbers by value: `1`, `1.0` and `1e0` are the same.
pub fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other) == Some(Ordering::Equal),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(k, v)| other.get(k).is_some_and(|other| equal(v, other)))
        }
        _ => one == other,
    }
}

/// The order of two numbers: exact for integers, else as doubles.
pub fn numbers(one: &Number, other: &Number) -> Option<Ordering> {
    if one == other {
        return Some(Ordering::Equal);
    }
    if let (Some(one), Some(other)) = (one.as_i128(), other.as_i128()) {
        return Some(one.cmp(&other));
    }
    one.as_f64()?.partial_cmp(&other.as_f64()?)
}

/// The order of two numbers or two texts.
pub fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// `lt`, `lte`, `gt`, `gte`
pub fn compare(args: &Args<'_>, fits: fn(Ordering) -> bool) -> Result<bool, Complaint> {
    let pair = args.at(0).zip(args.at(1));
    pair.and_then(|(one, other)| order(one, other))
        .map(fits)
        .ok_or_else(|| "needs two numbers or two texts".to_owned())
}

/// The arguments of `and`, `or`, `not` as booleans; absent counts as false.
pub fn flags(args: &Args<'_>) -> Result<Vec<bool>, Complaint> {
    let flag = |found: &Option<Cow<'_, Value>>| match found.as_deref() {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err("needs booleans; compare with `eq`, `exists` or `gt`".to_owned()),
    };
    args.args.iter().map(flag).collect()
}
