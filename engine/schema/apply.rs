//! A value against its schema: every violation, with its place.

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde_json::Value;

use crate::{
    diagnostic::{nearest, suggest},
    model::schema::Schema,
    schema::{compile::build, quick::surely_fits, words},
};

/// Violations that are told of one value.
const MAX_VIOLATIONS: usize = 100;

/// Where a value breaks its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the value, RFC 6901; empty for the whole. Of a missing or an unknown property it
    /// is the property's own place.
    pub pointer: String,
    /// Lower-case start, no full stop; quotes no value.
    pub message: String,
    /// What the caller can do.
    pub hint: Option<String>,
}

/// All violations; none if the value fits.
pub fn check(schema: &Schema, value: &Value) -> Vec<Violation> {
    let validator = match schema.compiled.get() {
        Some(validator) => validator,
        None if surely_fits(&schema.document, value) => return Vec::new(),
        None => match build(&schema.document) {
            Ok(validator) => schema.compiled.get_or_init(|| validator),
            Err(problem) => {
                let pointer = String::new();
                return vec![Violation { pointer, message: problem.message, hint: None }];
            }
        },
    };
    if validator.is_valid(value) {
        return Vec::new();
    }
    let errors = validator.iter_errors(value);
    let mut violations: Vec<Violation> =
        errors.flat_map(|error| violations(schema, &error)).take(MAX_VIOLATIONS).collect();
    violations.dedup();
    violations
}

/// One error of the validator; unknown properties are told one by one.
#[expect(clippy::wildcard_enum_match_arm, reason = "the validator has many kinds, and gets more")]
fn violations(schema: &Schema, error: &ValidationError<'_>) -> Vec<Violation> {
    let place = error.instance_path().as_str();
    let one = |pointer: String, message: String, hint| vec![Violation { pointer, message, hint }];
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_properties(schema, error);
            let violation = |name: &String| Violation {
                pointer: below(place, name),
                message: format!("there is no property `{name}`"),
                hint: suggest(name, known.iter().copied()),
            };
            unexpected.iter().map(violation).collect()
        }
        Kind::Required { property: Value::String(name) } => {
            one(below(place, name), "is missing".to_owned(), None)
        }
        Kind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let words = options.iter().filter_map(Value::as_str);
            let meant = error.instance().as_str().and_then(|text| nearest(text, words));
            let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
            one(place.to_owned(), words::message(error), hint)
        }
        _ => one(place.to_owned(), words::message(error), None),
    }
}

/// The properties beside the keyword that refused one.
fn known_properties<'s>(schema: &'s Schema, error: &ValidationError<'_>) -> Vec<&'s str> {
    let keyword = error.schema_path().as_str();
    let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties = schema.document.pointer(parent).and_then(|node| node.get("properties"));
    properties
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

fn below(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn told(schema: &Value, value: &Value) -> Vec<String> {
        check(&Schema::new(schema.clone()), value)
            .into_iter()
            .map(|v| {
                format!(
                    "{}: {}{}",
                    v.pointer,
                    v.message,
                    v.hint.map(|h| format!(" ({h})")).unwrap_or_default()
                )
            })
            .collect()
    }

    #[test]
    fn violations_have_a_place_and_our_words() {
        let schema = json!({
            "type": "object",
            "required": ["teamId"],
            "additionalProperties": false,
            "properties": {
                "teamId": {"type": "string", "minLength": 1},
                "limit": {"type": "integer", "minimum": 1, "maximum": 50},
                "state": {"enum": ["open", "closed"]},
                "since": {"type": "string", "format": "date-time"},
                "shop": {"type": "string", "pattern": "^[a-z]+$"},
                "to": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "either": {"type": ["string", "integer"]},
                "any": {"anyOf": [{"type": "boolean"}, {"enum": ["a"]}]},
            },
        });
        for (value, wanted) in [
            (json!({}), "/teamId: is missing"),
            (json!({"teamId": ""}), "/teamId: must not be empty"),
            (json!({"teamId": 5}), "/teamId: must be a string"),
            (json!({"teamId": "x", "limit": 51}), "/limit: must be at most 50"),
            (json!({"teamId": "x", "limit": 0}), "/limit: must be at least 1"),
            (json!({"teamId": "x", "limit": 1.5}), "/limit: must be a whole number"),
            (
                json!({"teamId": "x", "state": "opn"}),
                "/state: must be one of `open`, `closed` (did you mean `open`?)",
            ),
            (
                json!({"teamId": "x", "since": "yesterday"}),
                "/since: must be a date and time such as `2026-11-23T14:05:09Z`",
            ),
            (
                json!({"teamId": "x", "shop": "evil.com/"}),
                "/shop: must match the pattern `^[a-z]+$`",
            ),
            (json!({"teamId": "x", "to": []}), "/to: must not be empty"),
            (json!({"teamId": "x", "any": 1}), "/any: must be true or false or must be one of `a`"),
            (json!({"teamId": "x", "to": [1]}), "/to/0: must be a string"),
            (
                json!({"teamId": "x", "limt": 1}),
                "/limt: there is no property `limt` (did you mean `limit`?)",
            ),
            (
                json!({"teamId": "x", "a/b": 1}),
                "/a~1b: there is no property `a/b` \
                 (known are: teamId, limit, state, since, shop, to, either, any)",
            ),
        ] {
            assert_eq!(told(&schema, &value), [wanted], "{value}");
        }
        assert_eq!(told(&schema, &json!({"teamId": "x", "limit": 5})), [""; 0]);
        assert_eq!(told(&schema, &json!([])), [": must be an object"]);
    }

    #[test]
    fn no_value_is_quoted() {
        let schema = json!({"properties": {"key": {
            "type": "string", "minLength": 50, "pattern": "^x", "format": "uuid", "enum": ["a"],
            "not": {"const": "s3cret"}, "anyOf": [{"maxLength": 1}, {"const": "b"}],
        }}});
        let told = told(&schema, &json!({"key": "s3cret"})).join("\n");
        assert!(!told.contains("s3cret") && told.lines().count() >= 5, "{told}");
    }

    #[test]
    fn a_property_below_a_reference_is_suggested() {
        let schema = json!({
            "$defs": {"a": {"additionalProperties": false, "properties": {"colour": {}}}},
            "properties": {"x": {"$ref": "#/$defs/a"}},
        });
        assert_eq!(
            told(&schema, &json!({"x": {"color": 1}})),
            ["/x/color: there is no property `color` (did you mean `colour`?)"]
        );
    }

    #[test]
    fn a_broken_schema_is_told_and_an_open_one_is_not_compiled() {
        assert_eq!(check(&Schema::new(json!({"type": 5})), &json!(1)).len(), 1);
        let open = Schema::new(json!({}));
        assert_eq!(check(&open, &json!(1)), []);
        assert!(open.compiled.get().is_none());
    }

    #[test]
    fn many_violations_are_cut() {
        let many: Vec<Value> = (0..1000).map(Value::from).collect();
        assert_eq!(told(&json!({"items": {"type": "string"}}), &many.into()).len(), MAX_VIOLATIONS);
    }
}
