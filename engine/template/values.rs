//! Small questions about JSON values and paths.

use std::borrow::Cow;

use serde_json::Value;

use crate::model::template::Path;

/// A member by name, or an element by number.
pub fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A value as it may stand inside a text.
pub fn plain_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The kind of a value, for messages; never the value.
pub fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}

/// `a.b.[c d]`, as the author wrote it.
pub fn spelled(path: &Path) -> String {
    let mut text = path.root.clone();
    for segment in &path.segments {
        let plain =
            segment.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | ':'));
        if plain && !segment.is_empty() {
            text.push('.');
            text.push_str(segment);
        } else {
            text.push_str(".[");
            text.push_str(segment);
            text.push(']');
        }
    }
    text
}
