//! Words of which one is chosen.

use std::sync::Arc;

use crate::{
    catalog::{
        form::{
            description::{Description, Kind, Part, What, Word},
            key::{Form, wrong_type},
        },
        tree::Node,
    },
    diagnostic::{Diagnostics, suggest},
};

/// All words that can stand somewhere.
pub struct Choices<T: 'static> {
    /// Unique in the format.
    pub name: &'static str,
    /// What is chosen.
    pub doc: &'static str,
    /// Never empty.
    pub rows: &'static [Row<T>],
}

/// A word and what it stands for.
pub struct Row<T> {
    /// As it stands in files.
    pub name: &'static str,
    /// What it stands for.
    pub value: T,
    /// What it means.
    pub doc: &'static str,
}

/// A word, what it stands for, and what it means.
pub const fn row<T>(name: &'static str, value: T, doc: &'static str) -> Row<T> {
    Row { name, value, doc }
}

impl<T> Choices<T> {
    /// The row that a node names; `file.unknown-value` if there is none.
    pub fn find(&'static self, node: &Node, found: &mut Diagnostics) -> Option<&'static Row<T>> {
        let Some(text) = node.as_str() else { return wrong_type(node, "a text", found) };
        let chosen = self.rows.iter().find(|row| row.name == text);
        if chosen.is_none() {
            let names = || self.rows.iter().map(|row| row.name);
            let quoted: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            let message =
                format!("expected one of {}, found {}", quoted.join(", "), node.describe());
            // What came from the environment is not compared, so that no hint tells of it.
            let meant = if node.origin.is_none() { text } else { "" };
            found
                .error("file.unknown-value", message)
                .at(&node.place)
                .maybe_hint(suggest(meant, names()));
        }
        chosen
    }

    /// Adds the words to a description.
    pub fn describe(&self, all: &mut Description) -> Kind {
        let words = self.rows.iter().map(|row| Word { name: row.name, doc: row.doc }).collect();
        all.begin(Part { name: self.name, doc: self.doc, what: What::Choice(words) });
        Kind::Part(self.name)
    }
}

impl<T: Copy + PartialEq> Form for &'static Choices<T> {
    type Value = T;

    fn kind(&mut self, all: &mut Description) -> Kind {
        self.describe(all)
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<T> {
        self.find(node, found).map(|row| row.value)
    }

    fn spelled(&self, value: &T) -> Option<String> {
        self.rows.iter().find(|row| row.value == *value).map(|row| row.name.to_owned())
    }
}

/// Words of which only the row is of interest.
pub struct Words<T: 'static>(pub &'static Choices<T>);

impl<T> Form for Words<T> {
    type Value = &'static Row<T>;

    fn kind(&mut self, all: &mut Description) -> Kind {
        self.0.describe(all)
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value> {
        self.0.find(node, found)
    }
}
