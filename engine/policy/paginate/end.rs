//! How a list ends.

use serde_json::Value;

/// A token or link of an answer. Absent, null and the empty text all say: no more.
pub fn pointer(read: Option<&Option<Value>>) -> Option<&Value> {
    let is_end = |value: &Value| value.is_null() || value.as_str().is_some_and(str::is_empty);
    read?.as_ref().filter(|value| !is_end(value))
}
