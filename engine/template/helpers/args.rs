//! The arguments of a helper, and how they are read.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    model::time::Timestamp,
    template::values::{kind, plain_text},
};

/// What a helper is called with. Positional arguments are all present, except for the helpers that
/// are about absence.
pub struct Args<'a> {
    /// Its name.
    pub helper: &'static str,
    /// Positional.
    #[expect(clippy::struct_field_names, reason = "positional arguments are called so everywhere")]
    pub args: Vec<Option<Cow<'a, Value>>>,
    /// Named; absent ones are not passed.
    pub named: Vec<(&'a str, Cow<'a, Value>)>,
    /// What `now` is.
    pub now: Timestamp,
}

/// A sentence about what is wrong; quotes no value.
pub type Complaint = String;

impl<'a> Args<'a> {
    /// The argument at a position.
    pub fn at(&self, index: usize) -> Option<&Value> {
        self.args.get(index).and_then(Option::as_deref)
    }

    /// Takes an argument out.
    pub fn take(&mut self, index: usize) -> Option<Cow<'a, Value>> {
        self.args.get_mut(index).and_then(Option::take)
    }

    /// A text, or a number or boolean as text.
    pub fn text(&self, index: usize) -> Result<Cow<'_, str>, Complaint> {
        self.at(index).and_then(plain_text).ok_or_else(|| self.wants(index, "a text"))
    }

    /// A list.
    pub fn list(&self, index: usize) -> Result<&Vec<Value>, Complaint> {
        self.at(index).and_then(Value::as_array).ok_or_else(|| self.wants(index, "a list"))
    }

    /// An object.
    pub fn object(&self, index: usize) -> Result<&Map<String, Value>, Complaint> {
        self.at(index).and_then(Value::as_object).ok_or_else(|| self.wants(index, "an object"))
    }

    /// A named text.
    pub fn option(&self, name: &str) -> Result<Option<&str>, Complaint> {
        match self.named(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}=` must be a text")),
        }
    }

    /// A named value.
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_ref())
    }

    fn wants(&self, index: usize, what: &str) -> Complaint {
        let found = kind(self.at(index));
        format!("argument {} must be {what}, and is {found}", index + 1)
    }
}
