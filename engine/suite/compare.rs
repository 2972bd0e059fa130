//! Expected against found.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::value;

/// Stands for any opaque token.
const OPAQUE: &str = "$opaque";

/// Equality of JSON, numbers by value, order of members irrelevant; `$opaque` fits any text.
pub fn equal(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(text), Value::String(_)) if text == OPAQUE => true,
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| equal(e, f))
        }
        (Value::Object(expected), Value::Object(found)) => {
            expected.len() == found.len()
                && expected.iter().all(|(k, v)| found.get(k).is_some_and(|found| equal(v, found)))
        }
        _ => value::equal(expected, found),
    }
}

/// Whether everything expected is there; what else objects have is of no interest. Lists have the
/// same elements, each compared so.
pub fn contains(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(k, v)| found.get(k).is_some_and(|found| contains(v, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| contains(expected, found))
        }
        _ => equal(expected, found),
    }
}

/// Line by line, `-` expected and `+` found.
pub fn diff(expected: &Value, found: &Value) -> String {
    let (expected, found) = (pretty(expected), pretty(found));
    let mut out = String::new();
    for change in TextDiff::from_lines(&expected, &found).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        out.push(sign);
        out.push(' ');
        out.push_str(change.value().trim_end_matches('\n'));
        out.push('\n');
    }
    out
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    text.push('\n');
    text
}

/// Members in the order of their names, so that order makes no difference.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
