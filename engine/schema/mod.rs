//! JSON Schemas: compiled, applied, with defaults filled in.

use serde_json::Value;

use crate::model::schema::Schema;

/// Why a document is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Lower-case start, no full stop.
    pub message: String,
    /// Where in the document, RFC 6901.
    pub pointer: String,
}

/// Where a value breaks its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the value, RFC 6901; empty for the whole.
    pub pointer: String,
    /// Lower-case start, no full stop; quotes no value.
    pub message: String,
    /// What the caller can do.
    pub hint: Option<String>,
}

/// A document that is a sound schema.
pub fn compile(document: &Value) -> Result<Schema, Problem> {
    Ok(Schema::new(document.clone()))
}

/// All violations, in the order of the schema; empty if the value fits.
pub fn check(_schema: &Schema, _value: &Value) -> Vec<Violation> {
    Vec::new()
}

/// Fills in `default` of properties that are absent, nested objects included.
pub fn fill_defaults(_schema: &Schema, _value: &mut Value) {}

/// The JSON value of a word of the command line, typed by the property's schema.
pub fn coerce(_schema: &Value, text: &str) -> Value {
    text.into()
}
