//! The load-time check: does a template only read what can be there?

use std::sync::Arc;

use serde_json::Value;

use crate::{model::template::Template, template::scope::Error};

/// What is known of a value before it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knowledge {
    /// Anything may be below.
    Open,
    /// An object.
    Record {
        /// The members that are known.
        members: Vec<Member>,
        /// Whether there may be others.
        open: bool,
    },
    /// A list of such elements.
    List(Box<Knowledge>),
    /// A string, number, boolean or null.
    Leaf,
}

/// A member of a [`Knowledge::Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What is below it.
    pub knowledge: Knowledge,
    /// Whether it must be there.
    pub presence: Presence,
}

/// Whether a value must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It must.
    Always,
    /// It may be absent.
    Maybe,
}

/// The roots that a template may name.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    names: Vec<(Arc<str>, Arc<Knowledge>, Presence)>,
    lenient: bool,
}

impl Symbols {
    /// No roots at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root; a later one hides an earlier one of the same name.
    #[must_use]
    pub fn with(mut self, name: &str, knowledge: Knowledge, presence: Presence) -> Self {
        self.names.push((name.into(), Arc::new(knowledge), presence));
        self
    }

    /// Absence needs no permission (`error`, `message`, `save`, `account`).
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }
}

/// Where the value of a template goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Anywhere a JSON value is wanted.
    Value,
    /// A header or a text body.
    Text,
    /// The path of a request.
    Path,
    /// `if`, `where`, `when`, `more`.
    Condition,
    /// `base_url` and other URLs of a blueprint.
    BaseUrl,
}

/// What is wrong with a template at its place; offsets are within `t.source`.
pub fn template(_t: &Template, _symbols: &Symbols, _place: Use) -> Vec<Error> {
    Vec::new()
}

/// What is known of the template's value.
pub fn result(_t: &Template, _symbols: &Symbols) -> Knowledge {
    Knowledge::Open
}

/// What a JSON Schema says of its instances.
pub fn of_schema(_schema: &Value) -> Knowledge {
    Knowledge::Open
}
