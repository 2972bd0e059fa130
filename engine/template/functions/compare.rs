//! Order: `lt lte gt gte`, and the order of `sort`.

use std::cmp::Ordering;

use serde_json::Value;

use crate::{
    template::functions::args::{Args, Outcome, kind},
    value,
};

/// `a < b`
pub fn lt(args: &mut Args<'_>) -> Outcome {
    holds(args, Ordering::is_lt)
}

/// `a <= b`
pub fn lte(args: &mut Args<'_>) -> Outcome {
    holds(args, Ordering::is_le)
}

/// `a > b`
pub fn gt(args: &mut Args<'_>) -> Outcome {
    holds(args, Ordering::is_gt)
}

/// `a >= b`
pub fn gte(args: &mut Args<'_>) -> Outcome {
    holds(args, Ordering::is_ge)
}

fn holds(args: &Args<'_>, test: fn(Ordering) -> bool) -> Outcome {
    let (a, b) = (args.value(0), args.value(1));
    match order(a, b) {
        Some(order) => Ok(Some(test(order).into())),
        None => Err(format!("{} and {} have no order", kind(a), kind(b))),
    }
}

/// Two numbers by value, two strings by code point; anything else has no order.
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(value::order(a, b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
