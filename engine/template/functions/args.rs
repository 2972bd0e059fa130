//! What a function is given, and the sentences for what it cannot work with.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::model::time::Timestamp;

/// Text that one evaluation may make, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// What a function yields; `None` is absent. The error is a sentence without the function's name,
/// and quotes no value.
pub type Outcome = Result<Option<Value>, String>;

/// Arguments that are all present.
pub struct Args<'a> {
    /// By position.
    pub values: Vec<Cow<'a, Value>>,
    /// By name; absent ones are not here.
    pub named: Vec<(&'a str, Cow<'a, Value>)>,
    /// What `now` is.
    pub now: Timestamp,
}

impl Args<'_> {
    /// Argument `i`, from 0.
    pub fn value(&self, i: usize) -> &Value {
        self.values.get(i).map_or(&Value::Null, Cow::as_ref)
    }

    /// Argument `i` itself; it is gone afterwards.
    pub fn take(&mut self, i: usize) -> Value {
        self.values.get_mut(i).map_or(Value::Null, |value| std::mem::take(value).into_owned())
    }

    /// Argument `i` as text: a string, number or boolean.
    pub fn text(&self, i: usize) -> Result<Cow<'_, str>, String> {
        let value = self.value(i);
        text_of(value).ok_or_else(|| wrong(i, "text", value))
    }

    /// Argument `i` as a position in a list, from 0.
    pub fn index(&self, i: usize) -> Result<usize, String> {
        let found = self.text(i)?.parse();
        found.map_err(|_| format!("argument {} must be the index of an element", i + 1))
    }

    /// Argument `i` as a list.
    pub fn list(&self, i: usize) -> Result<&[Value], String> {
        let value = self.value(i);
        value.as_array().map(Vec::as_slice).ok_or_else(|| wrong(i, "a list", value))
    }

    /// Argument `i` as a list of our own.
    pub fn take_list(&mut self, i: usize) -> Result<Vec<Value>, String> {
        self.list(i)?;
        Ok(if let Value::Array(list) = self.take(i) { list } else { Vec::new() })
    }

    /// Argument `i` as an object of our own.
    pub fn take_object(&mut self, i: usize) -> Result<Map<String, Value>, String> {
        let value = self.value(i);
        if !value.is_object() {
            return Err(wrong(i, "an object", value));
        }
        Ok(if let Value::Object(members) = self.take(i) { members } else { Map::new() })
    }

    /// A named argument, if it was passed.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_ref())
    }

    /// A named argument as text; null is the same as not passed.
    pub fn option_text(&self, name: &str) -> Result<Option<Cow<'_, str>>, String> {
        match self.option(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match text_of(value) {
                Some(text) => Ok(Some(text)),
                None => Err(format!("`{name}` must be text, not {}", kind(value))),
            },
        }
    }

    /// How many positional arguments there are.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// A text argument that must be one of a few words; the first one if it was not passed.
    pub fn choice(&self, name: &str, words: &[&'static str]) -> Result<&'static str, String> {
        let first = words.first().copied().unwrap_or_default();
        let Some(text) = self.option_text(name)? else { return Ok(first) };
        let known = || words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        words
            .iter()
            .copied()
            .find(|word| *word == text)
            .ok_or_else(|| format!("`{name}` must be one of {}", known()))
    }
}

/// A string, number or boolean as text.
pub fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Borrowed(number.as_str())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What kind of value it is, with an article.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Refuses text that would be longer than an evaluation may make.
pub fn bounded(len: usize) -> Result<(), String> {
    if len > MAX_TEXT { Err("the text would be longer than 1 MB".to_owned()) } else { Ok(()) }
}

/// The sentence for an argument of the wrong kind.
pub fn wrong(i: usize, wanted: &str, found: &Value) -> String {
    format!("argument {} must be {wanted}, not {}", i + 1, kind(found))
}
