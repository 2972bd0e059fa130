//! JSON Schemas that stand in files.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    catalog::{form::prelude::*, format::pattern, tree::Node},
    diagnostic::Diagnostics,
    model::schema::Schema,
    schema,
};

/// Keywords by which an object says itself which further properties it takes.
const SAYS_ITSELF: [&str; 5] =
    ["additionalProperties", "unevaluatedProperties", "patternProperties", "$ref", "allOf"];

/// A JSON Schema of a file, sound unless a fault of it was reported.
#[derive(Clone, Copy)]
pub struct Document {
    closed: bool,
}

/// Any JSON Schema.
pub const SCHEMA: Document = Document { closed: false };

/// A schema of an object; further properties are refused unless it says otherwise.
pub const OBJECT_SCHEMA: Document = Document { closed: true };

/// The schema of an object without properties.
pub fn nothing() -> Schema {
    Schema::new(json!({"type": "object", "additionalProperties": false, "properties": {}}))
}

impl Form for Document {
    type Value = Schema;

    fn kind(&mut self, _: &mut Description) -> Described {
        Described::Schema
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Schema> {
        let mut document = node.to_json();
        if let Some(map) = document.as_object_mut().filter(|_| self.closed)
            && !SAYS_ITSELF.iter().any(|key| map.contains_key(*key))
        {
            map.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        Some(sound(document, node, found))
    }
}

fn sound(document: Value, node: &Node, found: &mut Diagnostics) -> Schema {
    if node.place.file.is_shipped() || is_plain(&document) {
        return Schema::new(document);
    }
    match schema::compile(&document) {
        Ok(schema) => schema,
        Err(problem) => {
            let place = at(node, &problem.pointer).place.clone();
            found.error("file.bad-schema", problem.message).at(&place);
            Schema::new(document)
        }
    }
}

/// Whether a schema is sound for all to see: plain keywords with fitting values. Compiling costs
/// more than all the rest of the loading; such schemas are compiled when they are first applied.
fn is_plain(schema: &Value) -> bool {
    match schema {
        Value::Bool(_) => true,
        Value::Object(map) => map.iter().all(|(keyword, value)| fits(keyword, value)),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

/// Whether the value is one that the keyword may have; `false` for keywords that need a compiler.
fn fits(keyword: &str, value: &Value) -> bool {
    match keyword {
        "type" => match value.as_array() {
            Some(all) => !all.is_empty() && is_set(all) && all.iter().all(is_type),
            None => is_type(value),
        },
        "properties" => value.as_object().is_some_and(|all| all.values().all(is_plain)),
        "items" | "additionalProperties" | "not" => is_plain(value),
        "anyOf" | "oneOf" | "allOf" => {
            value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(is_plain))
        }
        "required" => {
            value.as_array().is_some_and(|all| is_set(all) && all.iter().all(Value::is_string))
        }
        "enum" => value.as_array().is_some_and(|all| !all.is_empty() && is_set(all)),
        "pattern" => value.as_str().is_some_and(pattern::is_plain),
        "default" | "const" => true,
        "examples" => value.is_array(),
        "title" | "description" | "format" | "$comment" => value.is_string(),
        "readOnly" | "writeOnly" | "deprecated" | "uniqueItems" => value.is_boolean(),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            value.as_u64().is_some()
        }
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
        _ => false,
    }
}

fn is_type(value: &Value) -> bool {
    let known = ["object", "array", "string", "number", "integer", "boolean", "null"];
    value.as_str().is_some_and(|name| known.contains(&name))
}

/// Whether nothing stands in a list twice. Long lists are left to the compiler.
fn is_set(all: &[Value]) -> bool {
    let again = |(at, one): (usize, &Value)| all.iter().take(at).any(|earlier| earlier == one);
    all.len() <= 64 && !all.iter().enumerate().any(again)
}

/// The node at a JSON pointer (RFC 6901), or the last one on the way to it.
fn at<'n>(node: &'n Node, pointer: &str) -> &'n Node {
    pointer.split('/').skip(1).fold(node, |node, name| {
        let name = name.replace("~1", "/").replace("~0", "~");
        let below = node.get(&name).or_else(|| node.items().get(name.parse::<usize>().ok()?));
        below.map_or(node, Arc::as_ref)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a start takes on trust.
    #[test]
    fn schemas_of_shipped_files_compile() {
        let catalog = crate::catalog::Snapshot::open(None, &Arc::default());
        for summary in catalog.blueprints().unwrap() {
            let blueprint = catalog.blueprint(&summary.id).unwrap();
            let all = [
                &blueprint.config_schema,
                &blueprint.connection_schema,
                &blueprint.auth.credentials,
            ];
            for schema in all {
                assert!(schema::compile(&schema.document).is_ok(), "{}", summary.id);
            }
            let mut config = json!({});
            schema::fill_defaults(&blueprint.config_schema, &mut config);
            let bare = blueprint.config_schema.document.get("required").is_none();
            assert!(!bare || schema::check(&blueprint.config_schema, &config).is_empty());
            let loaded = catalog.integration(blueprint.id.name()).unwrap();
            for action in loaded.action_names().unwrap() {
                let action = loaded.action(action).unwrap();
                let action = &action.action;
                let returns = action.returns.iter();
                for schema in returns.chain([&action.input]) {
                    assert!(schema::compile(&schema.document).is_ok(), "{}", action.name);
                }
            }
        }
    }

    #[test]
    fn plain_schemas_would_compile() {
        for (schema, plain) in [
            (
                json!({"type": "object", "required": ["a"], "properties": {"a": {"type": ["string", "null"], "minLength": 1}}}),
                true,
            ),
            (json!({"enum": ["a", 1, null], "default": "a", "title": "A"}), true),
            (
                json!({"type": "array", "items": {"anyOf": [{"const": 1}, true]}, "uniqueItems": true}),
                true,
            ),
            (
                json!({"type": "integer", "minimum": -1.5, "format": "int32", "readOnly": true}),
                true,
            ),
            (json!({"pattern": "^[A-Za-z0-9.-]+$"}), true),
            (json!({"type": "strnig"}), false),
            (json!({"type": []}), false),
            (json!({"type": ["string", "string"]}), false),
            (json!({"required": "a"}), false),
            (json!({"properties": {"a": {"pattern": "("}}}), false),
            (json!({"properties": {"a": 5}}), false),
            (json!({"minLength": -1}), false),
            (json!({"$ref": "#/$defs/a"}), false),
            (json!({"minimun": 1}), false),
        ] {
            assert_eq!(is_plain(&schema), plain, "{schema}");
            assert!(!plain || schema::compile(&schema).is_ok(), "{schema}");
        }
    }
}
