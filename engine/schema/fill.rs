//! Defaults of a schema into a value; words of the command line into values.

use serde_json::Value;

use crate::model::schema::Schema;

/// Deeper schemas are not looked at.
const DEEPEST: usize = 16;

/// Fills in `default` of properties that are absent, nested objects included.
pub fn fill_defaults(schema: &Schema, value: &mut Value) {
    fill(&schema.document, value, 0);
}

fn fill(schema: &Value, value: &mut Value, depth: usize) {
    let (Some(Value::Object(properties)), Value::Object(map)) = (schema.get("properties"), value)
    else {
        return;
    };
    if depth > DEEPEST {
        return;
    }
    for (name, schema) in properties {
        match (map.get_mut(name), schema.get("default")) {
            (Some(value), _) => fill(schema, value, depth + 1),
            (None, Some(default)) => {
                map.insert(name.clone(), default.clone());
            }
            (None, None) => {}
        }
    }
}

/// The JSON value of a word of the command line, typed by the property's schema. What does not
/// read as the type stays a text, for the schema to complain about.
pub fn coerce(schema: &Value, text: &str) -> Value {
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return of_enum(schema, text),
    };
    let json = || serde_json::from_str::<Value>(text).ok();
    let read = kinds.iter().find_map(|kind| match *kind {
        "integer" | "number" => json().filter(Value::is_number),
        "boolean" => json().filter(Value::is_boolean),
        "null" => json().filter(Value::is_null),
        "array" => json().filter(Value::is_array),
        "object" => json().filter(Value::is_object),
        _ => None,
    });
    read.unwrap_or_else(|| text.into())
}

/// Without a type, an enum tells what is meant.
fn of_enum(schema: &Value, text: &str) -> Value {
    let options = schema.get("enum").and_then(Value::as_array);
    let meant = options.and_then(|all| all.iter().find(|o| !o.is_string() && *o == text));
    meant.cloned().unwrap_or_else(|| text.into())
}
