//! What a schema adds to values: defaults, and the types of words of the command line.

use serde_json::{Number, Value};

use crate::model::schema::Schema;

/// Objects within objects that are filled.
const MAX_DEPTH: usize = 32;

/// Fills in `default` of properties that are absent, nested objects included.
pub fn fill_defaults(schema: &Schema, value: &mut Value) {
    fill(&schema.document, value, 0);
}

fn fill(schema: &Value, value: &mut Value, depth: usize) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let (Some(properties), Some(members)) = (properties, value.as_object_mut()) else { return };
    for (name, property) in properties {
        if !members.contains_key(name)
            && let Some(default) = property.get("default")
        {
            members.insert(name.clone(), default.clone());
        }
        if depth < MAX_DEPTH
            && let Some(member) = members.get_mut(name)
        {
            fill(property, member, depth + 1);
        }
    }
}

/// The JSON value of a word of the command line, typed by the property's schema. Where a string
/// is allowed it is one; a word that fits no type stays a string, for `check` to refuse.
pub fn coerce(schema: &Value, text: &str) -> Value {
    let mut types = Vec::new();
    collect(schema, &mut types, 0);
    let has = |name: &str| types.contains(&name);
    if !has("string") {
        let json = serde_json::from_str::<Value>(text).ok();
        let fits = |value: &Value| match value {
            Value::Null => has("null"),
            Value::Bool(_) => has("boolean"),
            Value::Number(number) => has("number") || has("integer") && is_whole(number),
            Value::Array(_) => has("array"),
            Value::Object(_) => has("object"),
            Value::String(_) => false,
        };
        if let Some(value) = json.filter(fits) {
            return value;
        }
    }
    text.into()
}

/// The types that a schema names, in its own words or those of its alternatives and options.
fn collect<'s>(schema: &'s Value, types: &mut Vec<&'s str>, depth: usize) {
    match schema.get("type") {
        Some(Value::String(one)) => types.push(one),
        Some(Value::Array(several)) => types.extend(several.iter().filter_map(Value::as_str)),
        _ => {
            let options = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
            for option in options.chain(schema.get("const")) {
                types.push(kind(option));
            }
        }
    }
    for keyword in ["anyOf", "oneOf"].iter().filter(|_| depth < MAX_DEPTH) {
        for form in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            collect(form, types, depth + 1);
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_whole(number: &Number) -> bool {
    !number.as_str().contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_filled_at_every_depth() {
        let schema = Schema::new(json!({"properties": {
            "limit": {"default": 50},
            "filter": {"properties": {"state": {"default": "open"}, "other": {}}},
            "order": {"default": {}, "properties": {"by": {"default": "name"}}},
            "null": {"default": 1},
        }}));
        let mut value = json!({"filter": {"other": 1}, "null": null});
        fill_defaults(&schema, &mut value);
        assert_eq!(
            value,
            json!({"filter": {"other": 1, "state": "open"}, "null": null, "limit": 50, "order": {"by": "name"}})
        );
        let mut value = json!({});
        fill_defaults(&schema, &mut value);
        assert_eq!(value, json!({"limit": 50, "order": {"by": "name"}, "null": 1}));
        let mut list = json!([]);
        fill_defaults(&schema, &mut list);
        assert_eq!(list, json!([]));
    }

    #[test]
    fn words_are_typed_by_the_schema() {
        for (schema, text, wanted) in [
            (json!({"type": "integer"}), "5", json!(5)),
            (json!({"type": "integer"}), "5.5", json!("5.5")),
            (json!({"type": "integer"}), "five", json!("five")),
            (json!({"type": "number"}), "5.5", json!(5.5)),
            (json!({"type": "boolean"}), "true", json!(true)),
            (json!({"type": "boolean"}), "yes", json!("yes")),
            (json!({"type": ["integer", "null"]}), "null", json!(null)),
            (json!({"type": "string"}), "5", json!("5")),
            (json!({"type": ["string", "null"]}), "null", json!("null")),
            (json!({"type": "array"}), "[1]", json!([1])),
            (json!({"type": "object"}), "{\"a\": 1}", json!({"a": 1})),
            (json!({"type": "object"}), "[1]", json!("[1]")),
            (json!({}), "5", json!("5")),
            (json!({"enum": [1, 2]}), "2", json!(2)),
            (json!({"enum": ["1", 2]}), "2", json!("2")),
            (json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}), "7", json!(7)),
        ] {
            assert_eq!(coerce(&schema, text), wanted, "{schema} {text}");
        }
    }
}
