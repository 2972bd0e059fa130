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

    /// Whether a property of credentials is one: all are, unless they say both `readOnly: false` and
    /// `writeOnly: false`.
    pub fn is_credential(property: &Value) -> bool {
        let says_no = |key: &str| property.get(key) == Some(&Value::Bool(false));
        !(says_no("readOnly") && says_no("writeOnly"))
    }

    /// Whether a property says that it is given and never shown.
    pub fn is_write_only(property: &Value) -> bool {
        property.get("writeOnly") == Some(&Value::Bool(true))
    }

    /// The names of the properties that say `writeOnly: true`: what is given and never shown.
    pub fn write_only(&self) -> impl Iterator<Item = &str> {
        let properties = self.properties();
        properties.filter(|(_, schema)| Self::is_write_only(schema)).map(|(name, _)| name)
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
