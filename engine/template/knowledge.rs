//! What is known of values before they exist: from JSON Schemas, and from what templates yield.

use std::sync::Arc;

use serde_json::Value;

/// Schemas within schemas that are looked at.
const MAX_DEPTH: usize = 16;
/// Schemas that are looked at in all: a recursive document has no end.
const MAX_NODES: usize = 4096;

/// What is known of a value.
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

impl Knowledge {
    /// What is known of an element; `None` if it is certainly no list.
    pub fn element(&self) -> Option<Self> {
        match self {
            Self::List(element) => Some((**element).clone()),
            Self::Open => Some(Self::Open),
            Self::Record { .. } | Self::Leaf => None,
        }
    }

    /// What is known if it is either this or the other.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        if self == *other { self } else { Self::Open }
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

    /// Takes a root away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.names.retain(|(n, ..)| **n != *name);
        self
    }

    /// Absence needs no permission (`error`, `message`, `save`, `account`).
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Whether absence needs no permission.
    pub fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// A root.
    pub fn get(&self, name: &str) -> Option<(&Knowledge, Presence)> {
        let found = self.names.iter().rev().find(|(n, ..)| **n == *name);
        found.map(|(_, knowledge, presence)| (knowledge.as_ref(), *presence))
    }

    /// The names of all roots.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, ..)| name.as_ref())
    }
}

/// What a JSON Schema says of its instances. `$ref` is followed within the document.
pub fn of_schema(schema: &Value) -> Knowledge {
    Reader { document: schema, nodes: 0 }.schema(schema, 0)
}

struct Reader<'d> {
    document: &'d Value,
    nodes: usize,
}

impl Reader<'_> {
    fn schema(&mut self, schema: &Value, depth: usize) -> Knowledge {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Knowledge::Open;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target =
                target.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
            return target.map_or(Knowledge::Open, |target| self.schema(target, depth + 1));
        }
        match kind(schema) {
            Kind::Object => self.record(schema, depth),
            Kind::List => {
                let items = schema.get("items").filter(|_| schema.get("prefixItems").is_none());
                let element = items.map_or(Knowledge::Open, |items| self.schema(items, depth + 1));
                Knowledge::List(Box::new(element))
            }
            Kind::Scalar => Knowledge::Leaf,
            Kind::Any => Knowledge::Open,
        }
    }

    fn record(&mut self, schema: &Value, depth: usize) -> Knowledge {
        let required = schema.get("required").and_then(Value::as_array);
        let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let members = members.map(|(name, property)| {
            // `schema::fill_defaults` fills it in.
            let always = required.is_some_and(|names| names.iter().any(|n| n == name))
                || property.get("default").is_some();
            Member {
                name: name.clone(),
                knowledge: self.schema(property, depth + 1),
                presence: if always { Presence::Always } else { Presence::Maybe },
            }
        });
        let members = members.collect();
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let more = ["patternProperties", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"];
        let open = !closed || more.iter().any(|keyword| schema.get(keyword).is_some());
        Knowledge::Record { members, open }
    }
}

enum Kind {
    Object,
    List,
    Scalar,
    Any,
}

/// What kind of value the schema is for; null beside another kind does not count.
fn kind(schema: &Value) -> Kind {
    let mut types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ => Vec::new(),
    };
    types.retain(|name| *name != "null");
    match types.as_slice() {
        ["object"] => Kind::Object,
        ["array"] => Kind::List,
        [] => Kind::Any,
        names if !names.contains(&"object") && !names.contains(&"array") => Kind::Scalar,
        _ => Kind::Any,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_read() {
        for (schema, wanted) in [
            (json!({}), Knowledge::Open),
            (json!(true), Knowledge::Open),
            (json!({"type": "string"}), Knowledge::Leaf),
            (json!({"type": ["integer", "null"]}), Knowledge::Leaf),
            (json!({"type": ["object", "string"]}), Knowledge::Open),
            (json!({"type": "array"}), Knowledge::List(Box::new(Knowledge::Open))),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                Knowledge::List(Box::new(Knowledge::Leaf)),
            ),
            (json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}), Knowledge::Leaf),
            (json!({"$ref": "https://a.b/c"}), Knowledge::Open),
        ] {
            assert_eq!(of_schema(&schema), wanted, "{schema}");
        }
        let schema = json!({
            "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": "x"}, "c": {}},
            "required": ["a"], "additionalProperties": false,
        });
        let Knowledge::Record { members, open } = of_schema(&schema) else { panic!() };
        let presence: Vec<_> = members.iter().map(|m| m.presence).collect();
        assert_eq!(presence, [Presence::Always, Presence::Always, Presence::Maybe]);
        assert!(!open);
    }

    #[test]
    fn endless_schemas_end() {
        let node = json!({"$ref": "#/$defs/n"});
        let schema = json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties":
            {"a": node, "b": node, "c": node, "d": node}}}});
        assert!(matches!(of_schema(&schema), Knowledge::Record { .. }));
        assert_eq!(of_schema(&json!({"$ref": "#"})), Knowledge::Open);
    }

    #[test]
    fn later_symbols_hide_earlier_ones() {
        let symbols = Symbols::new().with("a", Knowledge::Open, Presence::Always).with(
            "a",
            Knowledge::Leaf,
            Presence::Maybe,
        );
        assert_eq!(symbols.get("a"), Some((&Knowledge::Leaf, Presence::Maybe)));
    }
}
