//! A key, and the forms of what may stand behind it.

use std::sync::Arc;

use crate::{
    catalog::{
        form::description::{Description, Kind},
        tree::{self, Node},
    },
    diagnostic::Diagnostics,
};

/// A key of an object.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As it stands in files.
    pub name: &'static str,
    /// What it means, for editors and the reference.
    pub doc: &'static str,
    /// A value to copy, where the form has no good one.
    pub example: Option<&'static str>,
    /// Whether a layer below may have given it, so that not each file must.
    pub inherited: bool,
}

/// A key and what it means.
pub const fn key(name: &'static str, doc: &'static str) -> Key {
    Key { name, doc, example: None, inherited: false }
}

impl Key {
    /// With a value to copy.
    #[must_use]
    pub const fn like(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    /// Needed, and not of each layer: a parent may give it, too.
    #[must_use]
    pub const fn inherited(mut self) -> Self {
        self.inherited = true;
        self
    }
}

/// How a value is read, and how that is described.
pub trait Form {
    /// What is read.
    type Value;

    /// What may stand there; parts that are met on the way are added.
    fn kind(&mut self, all: &mut Description) -> Kind;

    /// Reads a value; `None` if that fails, and then `found` says why.
    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value>;

    /// A value as a file would say it.
    fn spelled(&self, _: &Self::Value) -> Option<String> {
        None
    }
}

/// A form that can stand in for a value that is missing. Nobody meets such a value: where one was
/// needed, an error was reported, and what was read is thrown away.
pub trait Blank: Form {
    /// Some value.
    fn blank(&mut self) -> Self::Value;
}

/// Reports that something else stands there: `file.wrong-type`.
pub fn wrong_type<T>(node: &Node, expected: &str, found: &mut Diagnostics) -> Option<T> {
    let message = format!("expected {expected}, found {}", node.describe());
    // `1.10` or `true` where a text is wanted: the author meant the letters.
    let scalar = matches!(node.kind, tree::Kind::Bool(_) | tree::Kind::Number(_));
    let quote = scalar && expected.contains("text") && node.origin.is_none();
    let hint = quote.then(|| format!("quote it: `'{}'`", node.place.text()));
    found.error("file.wrong-type", message).at(&node.place).maybe_hint(hint);
    None
}
