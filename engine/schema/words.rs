//! Violations in our own words. They tell what is allowed and quote nothing of the value, which
//! may be a secret.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

/// Options of an `enum` that are listed.
const LISTED: usize = 12;

/// What is wrong, without the place.
#[expect(clippy::wildcard_enum_match_arm, reason = "the validator has many kinds, and gets more")]
pub fn message(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Required { property } => format!("`{}` is missing", bare(property)),
        Kind::Type { kind } => format!("must be {}", types(kind)),
        Kind::Enum { options } => format!("must be one of {}", listed(options)),
        Kind::Constant { expected_value } => format!("must be `{}`", bare(expected_value)),
        Kind::Format { format } => format!("must be {}", format_name(format)),
        Kind::Pattern { pattern } => format!("must match the pattern `{pattern}`"),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!(
                "there is no property {}",
                unexpected.iter().map(quoted).collect::<Vec<_>>().join(", ")
            )
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => forms(error, context),
        Kind::OneOfMultipleValid { context } => {
            format!("fits more than one of {} allowed forms", context.len())
        }
        Kind::Not { .. } | Kind::FalseSchema => "is not allowed".to_owned(),
        Kind::PropertyNames { error } => format!("a property's name {}", message(error)),
        Kind::Custom { message, .. } => message.clone(),
        Kind::Referencing(_) => "refers to a schema that is not in the document".to_owned(),
        kind => bounds(kind),
    }
}

/// What is wrong with a size, a length or a count.
#[expect(clippy::wildcard_enum_match_arm, reason = "the validator has many kinds, and gets more")]
fn bounds(kind: &Kind) -> String {
    match kind {
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => {
            "must not be empty".to_owned()
        }
        Kind::MinLength { limit } => format!("must have at least {}", count(*limit, "character")),
        Kind::MaxLength { limit } => format!("must have at most {}", count(*limit, "character")),
        Kind::MinItems { limit } => format!("must have at least {}", count(*limit, "element")),
        Kind::MaxItems { limit } => format!("must have at most {}", count(*limit, "element")),
        Kind::MinProperties { limit } => format!("must have at least {}", count(*limit, "member")),
        Kind::MaxProperties { limit } => format!("must have at most {}", count(*limit, "member")),
        Kind::AdditionalItems { .. } | Kind::UnevaluatedItems { .. } => {
            "has more elements than allowed".to_owned()
        }
        Kind::UniqueItems => "must not have the same element twice".to_owned(),
        Kind::Contains => "has no element of the kind that it must have".to_owned(),
        Kind::ContentEncoding { content_encoding } => format!("must be {content_encoding} text"),
        Kind::ContentMediaType { content_media_type } => format!("must be {content_media_type}"),
        other => format!("breaks `{}`", other.keyword()),
    }
}

/// Why no form fits: all the reasons, if each form has one, and it is not about a part.
fn forms(error: &ValidationError<'_>, forms: &[Vec<ValidationError<'_>>]) -> String {
    let here = error.instance_path().as_str();
    let reason = |form: &Vec<ValidationError<'_>>| match form.as_slice() {
        [only] if only.instance_path().as_str() == here => Some(message(only)),
        _ => None,
    };
    let reasons: Option<Vec<String>> = forms.iter().map(reason).collect();
    match reasons {
        Some(mut reasons) if !reasons.is_empty() && reasons.len() <= 4 => {
            reasons.dedup();
            reasons.join(" or ")
        }
        _ => format!("fits none of {} allowed forms", forms.len()),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => type_name(*one).to_owned(),
        TypeKind::Multiple(several) => {
            several.iter().map(type_name).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn type_name(name: JsonType) -> &'static str {
    match name {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    }
}

fn format_name(format: &str) -> String {
    match format {
        "date-time" => "a date and time such as `2026-11-23T14:05:09Z`".to_owned(),
        "date" => "a date such as `2026-11-23`".to_owned(),
        "email" => "an e-mail address".to_owned(),
        "uri" => "a URL".to_owned(),
        "uuid" => "a UUID".to_owned(),
        "hostname" => "a host name".to_owned(),
        other => format!("of the format `{other}`"),
    }
}

fn listed(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text: Vec<String> =
        options.iter().take(LISTED).map(|o| format!("`{}`", bare(o))).collect();
    if options.len() > LISTED {
        text.push(format!("{} others", options.len() - LISTED));
    }
    text.join(", ")
}

/// A string without its quotes, anything else as JSON.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn quoted(name: &String) -> String {
    format!("`{name}`")
}

fn count(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
