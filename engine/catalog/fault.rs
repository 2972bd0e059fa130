//! What serde says is wrong, with the way to it, and without the values found.

use std::{borrow::Cow, fmt};

use serde::de::{self, Expected, Unexpected};

/// What went wrong, on its way up; every list and object adds where it was.
#[derive(Debug)]
pub struct Error(pub Box<Problem>);

/// A fault and the way to it.
#[derive(Debug)]
pub struct Problem {
    /// What it is.
    pub fault: Fault,
    /// Entry or element numbers, innermost first.
    pub path: Vec<usize>,
    /// The fault is with the key of the innermost entry, not with its value.
    pub at_key: bool,
}

/// What can be wrong with a value.
#[derive(Debug)]
pub enum Fault {
    /// What was expected instead.
    Type(String),
    /// The keys that are known.
    UnknownKey(&'static [&'static str]),
    /// The values that are known.
    UnknownValue(&'static [&'static str]),
    /// The key that is missing.
    Missing(&'static str),
    /// A sentence of whoever read the value.
    Custom(String),
}

impl Error {
    /// A fault of the value at hand.
    pub fn new(fault: Fault) -> Self {
        Self(Box::new(Problem { fault, path: Vec::new(), at_key: false }))
    }

    /// The same, seen from the list or object around it.
    #[must_use]
    pub fn within(mut self, index: usize) -> Self {
        self.0.path.push(index);
        self
    }

    /// A fault of a key, seen from its object.
    #[must_use]
    pub fn at_key(mut self, index: usize) -> Self {
        self.0.at_key = true;
        self.within(index)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fault.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(expected) => write!(f, "expected {}", in_our_words(expected)),
            Self::UnknownKey(_) => f.write_str("unknown key"),
            Self::UnknownValue(known) => write!(f, "expected one of {}", known.join(", ")),
            Self::Missing(key) => write!(f, "missing key `{key}`"),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// The values found are left out on purpose: they may be secrets. `Node::describe` knows.
impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Fault::Custom(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Fault::Type(expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Fault::Type(expected.to_string()))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(Fault::Type(expected.to_string()))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Fault::UnknownValue(expected))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Fault::UnknownKey(expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Fault::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is given twice, under two names"))
    }
}

/// What serde's visitors expect, said as the authors of files would.
pub fn in_our_words(expected: &str) -> Cow<'_, str> {
    Cow::Borrowed(match expected {
        "a string" | "string" | "str" | "a borrowed string" | "a character" => "a text",
        "a boolean" | "bool" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "nothing",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        nonzero if nonzero.starts_with("a nonzero") => "a whole number above 0",
        made if made.starts_with("struct ") => "an object",
        made if made.starts_with("enum ") => "the name of a choice",
        made if made.starts_with("tuple") || made.starts_with("an array") => "a list",
        other => other,
    })
}
