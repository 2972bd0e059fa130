//! A document → a schema: draft 2020-12 unless it says otherwise, formats asserted, nothing
//! fetched, and patterns that take linear time.

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::{model::schema::Schema, schema::words};

/// Why a document is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Lower-case start, no full stop.
    pub message: String,
    /// Where in the document, RFC 6901.
    pub pointer: String,
}

/// Bytes that one compiled pattern may take.
const PATTERN_SIZE: usize = 1 << 20;

/// A document that is a sound schema.
pub fn compile(document: &Value) -> Result<Schema, Problem> {
    let validator = build(document)?;
    let schema = Schema::new(document.clone());
    let _ = schema.compiled.set(validator);
    Ok(schema)
}

/// Compiles a document.
pub fn build(document: &Value) -> Result<Validator, Problem> {
    jsonschema::options()
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_SIZE))
        .build(document)
        .map_err(|error| problem(&error))
}

fn problem(error: &ValidationError<'_>) -> Problem {
    let pointer = error.instance_path().as_str().to_owned();
    Problem { message: format!("this is not a JSON Schema: {}", words::message(error)), pointer }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sound_documents_compile() {
        for document in [json!({}), json!({"type": "string", "pattern": "^[a-z]{1,9}$"})] {
            assert!(compile(&document).is_ok_and(|schema| schema.compiled.get().is_some()));
        }
    }

    #[test]
    fn broken_documents_have_a_place() {
        for (document, pointer) in [
            (json!({"properties": {"a": {"type": "strin"}}}), "/properties/a/type"),
            (json!({"required": "a"}), "/required"),
            (json!({"properties": {"a": {"pattern": "("}}}), "/properties/a/pattern"),
            (json!({"properties": {"a": {"pattern": "(?=x)"}}}), "/properties/a/pattern"),
            (json!({"pattern": "(a{1000}){1000}"}), "/pattern"),
        ] {
            let problem = compile(&document).unwrap_err();
            assert!(
                problem.pointer.starts_with(pointer) || pointer.ends_with(&problem.pointer),
                "{document}: {problem:?}"
            );
        }
        assert!(compile(&json!({"$ref": "https://example.com/other.json"})).is_err());
        assert!(compile(&json!({"$ref": "file:///etc/passwd"})).is_err());
    }
}
