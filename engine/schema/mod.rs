//! JSON Schemas: compiled, applied, with defaults filled in.

mod violation;
mod fill;

pub use fill::{coerce, fill_defaults};
pub use violation::Violation;

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

/// A document that is a sound schema.
pub fn compile(document: &Value) -> Result<Schema, Problem> {
    let validator = build(document)?;
    let schema = Schema::new(document.clone());
    // The slot is new, so the value is always taken.
    let _taken = schema.compiled.set(validator);
    Ok(schema)
}

/// Draft 2020-12, offline, formats asserted, patterns in linear time.
fn build(document: &Value) -> Result<jsonschema::Validator, Problem> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(document)
        .map_err(|error| Problem {
            message: format!("this is no JSON Schema: {}", violation::sentence(&error)),
            pointer: error.instance_path().to_string(),
        })
}

/// All violations, in the order of the schema; empty if the value fits.
pub fn check(schema: &Schema, value: &Value) -> Vec<Violation> {
    if matches!(*schema.document, Value::Bool(true)) {
        return Vec::new();
    }
    let validator = match schema.compiled.get() {
        Some(validator) => validator,
        None => match build(&schema.document) {
            Ok(validator) => schema.compiled.get_or_init(|| validator),
            Err(problem) => {
                return vec![Violation {
                    pointer: String::new(),
                    message: problem.message,
                    hint: None,
                }];
            }
        },
    };
    if validator.is_valid(value) {
        return Vec::new();
    }
    validator
        .iter_errors(value)
        .take(50)
        .flat_map(|error| violation::explain(&error, &schema.document))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn violations_are_told_in_our_words() {
        let schema = compile(&json!({
            "type": "object", "additionalProperties": false, "required": ["owner"],
            "properties": {"owner": {"type": "string", "minLength": 2}, "state": {"enum": ["open", "closed"]}, "n": {"type": "integer", "minimum": 1}}
        }))
        .unwrap();
        let found = check(&schema, &json!({"state": "opn", "n": "geheim", "ownr": 1}));
        let text: Vec<String> = found
            .iter()
            .map(|v| format!("{} {} {}", v.pointer, v.message, v.hint.clone().unwrap_or_default()))
            .collect();
        let text = text.join("\n");
        for part in [
            "`owner` is missing",
            "there is no `ownr`",
            "did you mean `owner`?",
            "/state",
            "/n must be an integer",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("geheim"), "{text}");
        assert!(check(&schema, &json!({"owner": "me"})).is_empty());
    }

    #[test]
    fn unsound_schemas_are_refused() {
        for document in [
            json!({"type": "objekt"}),
            json!({"type": "string", "pattern": "("}),
            json!({"$ref": "https://x.test/s.json"}),
        ] {
            assert!(compile(&document).is_err(), "{document}");
        }
    }
}
