//! Errors of the validator in our words. Values are never quoted: they may be secret.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;

use crate::diagnostic;

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

/// One violation, or one for each unknown property.
#[expect(clippy::wildcard_enum_match_arm, reason = "the validator has forty kinds of error")]
pub fn explain(error: &ValidationError<'_>, schema: &Value) -> Vec<Violation> {
    let pointer = error.instance_path().to_string();
    let one = |message: String, hint: Option<String>| {
        vec![Violation { pointer: pointer.clone(), message, hint }]
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let place = error.schema_path().to_string();
            let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
            let known: Vec<&str> = schema
                .pointer(&format!("{parent}/properties"))
                .and_then(Value::as_object)
                .map(|map| map.keys().map(String::as_str).collect())
                .unwrap_or_default();
            unexpected
                .iter()
                .map(|name| Violation {
                    pointer: pointer.clone(),
                    message: format!("there is no `{name}`"),
                    hint: diagnostic::suggest(name, known.iter().copied()),
                })
                .collect()
        }
        ValidationErrorKind::Enum { options } => {
            let listed: Vec<String> = options
                .as_array()
                .map(|all| all.iter().map(|option| format!("`{}`", shown(option))).collect())
                .unwrap_or_default();
            one(format!("must be one of {}", listed.join(", ")), None)
        }
        _ => one(sentence(error), None),
    }
}

/// The error as a sentence.
#[expect(clippy::wildcard_enum_match_arm, reason = "the validator has forty kinds of error")]
pub fn sentence(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Required { property } => format!("`{}` is missing", shown(property)),
        ValidationErrorKind::Type { .. } => {
            let text = error.masked().to_string();
            match text.split_once("is not of type") {
                Some((_, kinds)) => {
                    format!("must be {}", article(kinds.trim().trim_start_matches("s ").trim()))
                }
                None => text,
            }
        }
        ValidationErrorKind::Pattern { pattern } => format!("must match the pattern `{pattern}`"),
        ValidationErrorKind::Format { format } => format!("must be a valid {format}"),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        _ => error.masked_with("the value").to_string(),
    }
}

/// `"integer"` → `an integer`
fn article(kinds: &str) -> String {
    let kinds = kinds.replace('"', "").replace("types ", "");
    let vowel = kinds.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kinds}", if vowel { "an" } else { "a" })
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
