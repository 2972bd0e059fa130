//! How much memory a value stands for.

use serde_json::Value;

/// About as many bytes as its JSON has. The depth of a value is bounded where it is read.
pub fn weight(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => length(text),
        Value::Array(list) => list.iter().map(weight).sum::<u64>().saturating_add(8),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| length(name).saturating_add(weight(value)))
            .sum::<u64>()
            .saturating_add(8),
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_add(4)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_weighs_about_as_much_as_its_text() {
        for value in [json!(null), json!({"a": ["x".repeat(1000), 1, {"b": true}]}), json!([])] {
            let text = u64::try_from(value.to_string().len()).unwrap();
            let weight = weight(&value);
            assert!(weight.abs_diff(text) < 60, "{weight} {text}");
        }
    }
}
