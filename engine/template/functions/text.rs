//! Text: `join split lower upper trim replace starts_with length`.

use serde_json::Value;

use crate::template::functions::args::{Args, Outcome, bounded, kind, text_of, wrong};

/// Joins a list of strings, numbers and booleans; without a separator by commas.
pub fn join(args: &mut Args<'_>) -> Outcome {
    let separator = if args.count() > 1 { args.text(1)? } else { ",".into() };
    let mut text = String::new();
    for (i, item) in args.list(0)?.iter().enumerate() {
        let item =
            text_of(item).ok_or_else(|| format!("element {i} must be text, not {}", kind(item)))?;
        if i > 0 {
            text.push_str(&separator);
        }
        bounded(text.len() + item.len())?;
        text.push_str(&item);
    }
    Ok(Some(text.into()))
}

/// Cuts text at each separator.
pub fn split(args: &mut Args<'_>) -> Outcome {
    let (text, separator) = (args.text(0)?, args.text(1)?);
    if separator.is_empty() {
        return Err("the separator must not be empty".to_owned());
    }
    Ok(Some(text.split(separator.as_ref()).map(Value::from).collect()))
}

/// In small letters.
pub fn lower(args: &mut Args<'_>) -> Outcome {
    Ok(Some(args.text(0)?.to_lowercase().into()))
}

/// In capital letters.
pub fn upper(args: &mut Args<'_>) -> Outcome {
    Ok(Some(args.text(0)?.to_uppercase().into()))
}

/// Without white space at both ends.
pub fn trim(args: &mut Args<'_>) -> Outcome {
    Ok(Some(args.text(0)?.trim().into()))
}

/// Replaces each occurrence of a text.
pub fn replace(args: &mut Args<'_>) -> Outcome {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if from.is_empty() {
        return Err("the text to replace must not be empty".to_owned());
    }
    let count = text.matches(from.as_ref()).count();
    bounded((text.len() - count * from.len()).saturating_add(count.saturating_mul(to.len())))?;
    Ok(Some(text.replace(from.as_ref(), &to).into()))
}

/// Whether text begins with a prefix.
pub fn starts_with(args: &mut Args<'_>) -> Outcome {
    Ok(Some(args.text(0)?.starts_with(args.text(1)?.as_ref()).into()))
}

/// Elements of a list, or characters of a string.
pub fn length(args: &mut Args<'_>) -> Outcome {
    match args.value(0) {
        Value::Array(list) => Ok(Some(list.len().into())),
        Value::String(text) => Ok(Some(text.chars().count().into())),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            Err(wrong(0, "a list or a string", other))
        }
    }
}
