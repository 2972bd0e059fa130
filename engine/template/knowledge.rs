//! What is known of values before they exist: from JSON Schemas and the order of steps.

use std::sync::Arc;

use serde_json::Value;

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
    List(Box<Self>),
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
    /// Absence needs no permission.
    pub lenient: bool,
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

    /// A root by name.
    pub fn get(&self, name: &str) -> Option<(&Knowledge, Presence)> {
        let found = self.names.iter().rev().find(|(n, _, _)| &**n == name)?;
        Some((&found.1, found.2))
    }

    /// All roots, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _, _)| &**name)
    }
}

/// Deeper schemas are taken as open.
const DEEPEST: usize = 24;

/// What a JSON Schema says of its instances.
pub fn of_schema(schema: &Value) -> Knowledge {
    below(schema, 0)
}

fn below(schema: &Value, depth: usize) -> Knowledge {
    let Some(map) = schema.as_object() else { return Knowledge::Open };
    // Combined schemas may say more than their own `properties`.
    let combined = ["$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties", "$dynamicRef"];
    let open_by_combination = combined.iter().any(|key| map.contains_key(*key));
    if depth > DEEPEST {
        return Knowledge::Open;
    }
    let kind = map.get("type").and_then(Value::as_str);
    if kind == Some("array") {
        let items = map.get("items").map_or(Knowledge::Open, |items| below(items, depth + 1));
        return Knowledge::List(Box::new(items));
    }
    if let Some(Value::Object(properties)) = map.get("properties") {
        let required = map.get("required").and_then(Value::as_array);
        let requires = |name: &str| required.is_some_and(|all| all.iter().any(|n| n == name));
        let member = |(name, schema): (&String, &Value)| {
            // A default is filled in before anything reads it.
            let always = requires(name) || schema.get("default").is_some();
            Member {
                name: name.clone(),
                knowledge: below(schema, depth + 1),
                presence: if always { Presence::Always } else { Presence::Maybe },
            }
        };
        let closed = map.get("additionalProperties") == Some(&Value::Bool(false));
        let members = properties.iter().map(member).collect();
        return Knowledge::Record {
            members,
            open: !closed || open_by_combination && kind.is_none(),
        };
    }
    match kind {
        Some("string" | "number" | "integer" | "boolean" | "null") if !open_by_combination => {
            Knowledge::Leaf
        }
        _ => Knowledge::Open,
    }
}
