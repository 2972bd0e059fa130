//! A JSON Schema of the formats, as a document. `schema/` compiles and applies it.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

/// A JSON Schema known to be sound: it compiled when the file was checked.
#[derive(Clone)]
pub struct Schema {
    /// The document.
    pub document: Arc<Value>,
    /// Filled by `schema::check` on first use.
    pub compiled: Arc<OnceLock<jsonschema::Validator>>,
}

impl Schema {
    /// Wraps a document that was checked by `schema::compile`.
    pub fn new(document: Value) -> Self {
        Self { document: Arc::new(document), compiled: Arc::default() }
    }

    /// `properties` of the document, in order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.document
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.as_str(), schema))
    }

    /// Whether `name` stands in `required` of the document.
    pub fn requires(&self, name: &str) -> bool {
        self.document
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|n| n == name))
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema({})", self.document)
    }
}
