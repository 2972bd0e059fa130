//! The reference of the formats as Markdown, written from their schemas: every key with its type and
//! its meaning, and nothing that the engine does not read.

use serde_json::{Map, Value, json};

use crate::render::Text;

static PAGE: Text = Text::plain(include_str!("manual.md.hbs"));

/// A page for a schema of [`crate::catalog::reference`].
pub fn page(schema: &Value) -> String {
    let none = Map::new();
    let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&none);
    let sections = [(None, schema)].into_iter();
    let sections = sections.chain(definitions.iter().map(|(name, all)| (Some(shown(name)), all)));
    PAGE.render(&json!({
        "title": text(schema, "title").unwrap_or("Reference"),
        "sections": sections.map(|(name, schema)| section(name, schema)).collect::<Value>(),
    }))
}

/// The keys of an object, or the values of a choice.
fn section(name: Option<&str>, schema: &Value) -> Value {
    let meaning = |schema: &Value| text(schema, "description").map(flat).unwrap_or_default();
    let required = schema.get("required").and_then(Value::as_array);
    let keys = schema.get("properties").and_then(Value::as_object).map(|properties| {
        let row = |(key, property): (&String, &Value)| {
            let needed = required.is_some_and(|all| all.iter().any(|one| one == key));
            json!({"key": key, "needed": needed, "kind": kind(property), "meaning": meaning(property)})
        };
        properties.iter().map(row).collect::<Value>()
    });
    let values = variants(schema).filter(|_| keys.is_none()).map(|all| {
        let row = |one: &Value| json!({"kind": kind(one), "meaning": meaning(one)});
        all.iter().map(row).collect::<Value>()
    });
    json!({"name": name, "meaning": meaning(schema), "keys": keys, "values": values})
}

fn variants(schema: &Value) -> Option<&Vec<Value>> {
    ["oneOf", "anyOf"].iter().find_map(|key| schema.get(key)?.as_array())
}

/// What may stand there, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = text(schema, "$ref").and_then(|path| path.rsplit('/').next()) {
        let name = shown(name);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(value) = schema.get("const") {
        return format!("`{}`", plain(value));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(|v| format!("`{}`", plain(v))).collect::<Vec<_>>().join(", ");
    }
    if let Some(all) = variants(schema) {
        let all: Vec<String> =
            all.iter().filter(|one| text(one, "type") != Some("null")).map(kind).collect();
        return all.join(" or ");
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => return "any value".to_owned(),
    };
    let named = types.iter().filter(|name| **name != "null").map(|name| match *name {
        "array" => match schema.get("items") {
            Some(items) => format!("list of {}", kind(items)),
            None => "list".to_owned(),
        },
        "object" => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("object of {}", kind(values)),
            _ => "object".to_owned(),
        },
        "string" => "text".to_owned(),
        other => other.to_owned(),
    });
    named.collect::<Vec<_>>().join(" or ")
}

/// `LimitWhenSpec` → `LimitWhen`.
fn shown(name: &str) -> &str {
    name.trim_end_matches("Spec").trim_end_matches("Form")
}

fn text<'v>(schema: &'v Value, key: &str) -> Option<&'v str> {
    schema.get(key).and_then(Value::as_str)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// On one line, safe within a table.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
