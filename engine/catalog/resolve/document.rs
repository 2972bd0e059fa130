//! JSON Schemas that stand in files.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    catalog::{decode::Raw, tree::Node},
    diagnostic::Diagnostics,
    model::schema::Schema,
    schema,
};

/// Keywords by which an object says itself which further properties it takes.
const SAYS_ITSELF: [&str; 5] =
    ["additionalProperties", "unevaluatedProperties", "patternProperties", "$ref", "allOf"];

/// A JSON Schema of a file, known to be sound.
pub fn document(node: &Node, diagnostics: &mut Diagnostics) -> Option<Schema> {
    sound(node.to_json(), node, diagnostics)
}

/// A schema of an object; further properties are refused unless it says otherwise.
pub fn object(raw: Option<&Raw>, diagnostics: &mut Diagnostics) -> Option<Schema> {
    let Some(Raw(node)) = raw.filter(|raw| !raw.0.is_null()) else {
        let nothing = json!({"type": "object", "additionalProperties": false, "properties": {}});
        return Some(Schema::new(nothing));
    };
    let mut document = node.to_json();
    if let Some(map) = document.as_object_mut()
        && !SAYS_ITSELF.iter().any(|key| map.contains_key(*key))
    {
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    sound(document, node, diagnostics)
}

fn sound(document: Value, node: &Node, diagnostics: &mut Diagnostics) -> Option<Schema> {
    let problem = match schema::compile(&document) {
        Ok(schema) => return Some(schema),
        Err(problem) => problem,
    };
    let place = at(node, &problem.pointer).place.clone();
    diagnostics.error("file.bad-schema", problem.message, Some(place));
    None
}

/// The node at a JSON pointer (RFC 6901), or the last one on the way to it.
fn at<'n>(node: &'n Node, pointer: &str) -> &'n Node {
    pointer.split('/').skip(1).fold(node, |node, name| {
        let name = name.replace("~1", "/").replace("~0", "~");
        let below = node.get(&name).or_else(|| node.items().get(name.parse::<usize>().ok()?));
        below.map_or(node, Arc::as_ref)
    })
}
