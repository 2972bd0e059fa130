//! An object of a file, asked for its keys.

use std::sync::Arc;

use crate::{
    catalog::{
        form::{
            choice::{Choices, Row, Words},
            key::{Blank, Form, Key},
            list::{List, Map},
            listing::{Listing, Need, Owner},
        },
        tree::{self, Node},
    },
    diagnostic::{Diagnostic, Diagnostics, Severity, suggest},
};

/// An object on its way: what was asked for, and what was wrong.
pub struct Object<'a> {
    /// `None`: the keys alone are of interest.
    node: Option<&'a Arc<Node>>,
    found: &'a mut Diagnostics,
    listing: Option<Listing<'a>>,
    asked: Vec<&'static str>,
    foreign: Vec<Foreign>,
    owner: Option<Owner>,
}

/// A key that belongs elsewhere.
struct Foreign {
    key: &'static str,
    /// `` `auth_mode: OAUTH2` ``, for messages.
    owner: String,
}

impl<'a> Object<'a> {
    /// Over what stands in a file.
    pub fn over(node: &'a Arc<Node>, found: &'a mut Diagnostics) -> Self {
        Self { node: Some(node), ..Self::nothing(found) }
    }

    /// Over nothing: the keys alone are of interest.
    pub fn nothing(found: &'a mut Diagnostics) -> Self {
        Self {
            node: None,
            found,
            listing: None,
            asked: Vec::with_capacity(8),
            foreign: Vec::new(),
            owner: None,
        }
    }

    /// What stands at a key; `None` if nothing does, or null.
    pub fn raw(&self, name: &str) -> Option<&'a Arc<Node>> {
        self.node?.get(name).filter(|node| !node.is_null())
    }

    /// The object itself.
    pub fn node(&self) -> Option<&'a Arc<Node>> {
        self.node
    }

    /// 1-based, for reports of tests.
    pub fn line(&self) -> usize {
        self.node.map_or(0, |node| node.place.start().line)
    }

    /// A value that may be left out.
    pub fn optional<F: Form>(&mut self, key: Key, mut form: F) -> Option<F::Value> {
        let node = self.ask(key, &mut form, Need::Default(None))?;
        form.read(node, self.found)
    }

    /// A value that holds even if it is left out.
    pub fn or<F: Form>(&mut self, key: Key, mut form: F, default: F::Value) -> F::Value {
        let spelled = self.listing.as_ref().and_then(|_| form.spelled(&default));
        let node = self.ask(key, &mut form, Need::Default(spelled));
        node.and_then(|node| form.read(node, self.found)).unwrap_or(default)
    }

    /// A value that must be there: `file.missing-key`.
    pub fn needed<F: Blank>(&mut self, key: Key, mut form: F) -> F::Value {
        let node = self.ask(key, &mut form, Need::Needed);
        if node.is_none() {
            self.missing(key);
        }
        node.and_then(|node| form.read(node, self.found)).unwrap_or_else(|| form.blank())
    }

    /// A value that is empty, or its type's default, if it is left out.
    pub fn or_empty<F: Form<Value: Default>>(&mut self, key: Key, form: F) -> F::Value {
        self.optional(key, form).unwrap_or_default()
    }

    /// A list, which is empty if it is left out.
    pub fn list<F: Form>(&mut self, key: Key, form: F) -> Vec<F::Value> {
        self.or_empty(key, List(form))
    }

    /// An object of values by any key, which is empty if it is left out.
    pub fn map<F: Form>(&mut self, key: Key, form: F) -> Vec<(String, F::Value)> {
        self.or_empty(key, Map(form))
    }

    /// The choice that decides which other keys there are; `None` if it is missing or unknown.
    pub fn chosen<T>(&mut self, key: Key, choices: &'static Choices<T>) -> Option<&'static Row<T>> {
        let node = self.ask(key, &mut Words(choices), Need::Needed);
        match node {
            Some(node) => choices.find(node, self.found),
            None => {
                self.missing(key);
                None
            }
        }
    }

    /// A choice that must be there; `stand_in` is what nobody meets if it is not.
    pub fn choice<T: Copy>(&mut self, key: Key, all: &'static Choices<T>, stand_in: T) -> T {
        self.chosen(key, all).map_or(stand_in, |row| row.value)
    }

    /// Reads the keys that a choice brings along. Those of the other choices are foreign, and what
    /// stands there is an error; if nothing was chosen, the keys of all of them are let pass.
    pub fn by<T: Copy, V>(
        &mut self,
        by: &'static str,
        choices: &'static Choices<T>,
        chosen: Option<&'static Row<T>>,
        mut read: impl FnMut(&mut Object<'_>, T) -> V,
    ) -> Option<V> {
        if self.listing.is_some() {
            for row in choices.rows {
                self.owner = Some(Owner { by, value: row.name });
                drop(read(self, row.value));
            }
            self.owner = None;
            return None;
        }
        let value = chosen.map(|row| {
            self.owner = Some(Owner { by, value: row.name });
            let value = read(self, row.value);
            self.owner = None;
            value
        });
        if self.has_unasked() {
            for row in choices.rows {
                let silent = &mut Diagnostics::default();
                let mut other = Object::nothing(silent);
                drop(read(&mut other, row.value));
                match chosen {
                    None => self.asked.extend(other.asked),
                    Some(_) => {
                        let owner = format!("`{by}: {}`", row.name);
                        let foreign = |key| Foreign { key, owner: owner.clone() };
                        self.foreign.extend(other.asked.into_iter().map(foreign));
                    }
                }
            }
        }
        value
    }

    /// Keys that are read as part of something else: they are described, and let pass.
    pub fn pass<V>(&mut self, keys: &[&'static str], read: impl FnOnce(&mut Object<'_>) -> V) {
        if self.listing.is_some() {
            drop(read(self));
        } else {
            self.asked.extend(keys);
        }
    }

    /// Says where a key that is unknown here belongs.
    pub fn elsewhere(&mut self, key: &'static str, owner: &str) {
        self.foreign.push(Foreign { key, owner: owner.to_owned() });
    }

    /// A key that no version has read so far: `file.unsupported`. It is not described.
    pub fn unsupported(&mut self, name: &'static str) {
        let entries = self.node.into_iter().flat_map(|node| node.entries());
        let key = entries.map(|(key, _)| key).find(|key| *key.name == *name);
        if let Some(key) = key {
            self.asked.push(name);
            let message = format!("`{name}` is not supported by this version");
            self.found.error("file.unsupported", message).at(&key.place);
        }
    }

    /// At most one of some keys: `file.bad-value`.
    pub fn at_most_one(&mut self, what: &str, names: &[&str]) {
        let given = self.node.into_iter().flat_map(|node| node.entries());
        let mut given = given.filter(|(key, node)| names.contains(&&*key.name) && !node.is_null());
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            let message =
                format!("there is one {what}, and this has `{}` and `{}`", first.name, second.name);
            self.found.error("file.bad-value", message).at(&second.place);
        }
    }

    /// What is wrong so far, for what looks at several keys at once.
    pub fn found(&mut self) -> &mut Diagnostics {
        self.found
    }

    /// Reports a problem of the object as a whole.
    pub fn error(&mut self, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.found.error(code, message).maybe_at(self.node.map(|node| &node.place))
    }

    /// Reports something that its author should look at.
    pub fn warning(&mut self, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.found.warning(code, message).maybe_at(self.node.map(|node| &node.place))
    }

    /// Reports something that is good to know of the object.
    pub fn note(&mut self, code: &'static str, message: impl Into<String>) {
        self.found.note(code, message).maybe_at(self.node.map(|node| &node.place));
    }

    /// Reports a problem of the value at a key, or of the object if it is not there.
    pub fn error_at(
        &mut self,
        name: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let node = self.raw(name).or(self.node);
        self.found.error(code, message).maybe_at(node.map(|node| &node.place))
    }

    fn ask<F: Form>(&mut self, key: Key, form: &mut F, need: Need) -> Option<&'a Arc<Node>> {
        self.asked.push(key.name);
        if let Some(listing) = &mut self.listing {
            listing.add(key, form, need, self.owner);
        }
        self.raw(key.name)
    }

    fn missing(&mut self, key: Key) {
        let Key { name, example, .. } = key;
        let message = match self.owner {
            Some(Owner { by, value }) => format!("`{by}: {value}` needs `{name}`"),
            None => format!("missing key `{name}`"),
        };
        let hint = example.map(|example| format!("such as `{name}: {example}`"));
        self.error("file.missing-key", message).maybe_hint(hint);
    }

    fn has_unasked(&self) -> bool {
        let mut entries = self.node.into_iter().flat_map(|node| node.entries());
        entries.any(|(key, _)| !self.asked.contains(&&*key.name))
    }

    /// Lists what is asked for.
    pub fn listing(self, listing: Listing<'a>) -> Self {
        Self { listing: Some(listing), ..self }
    }

    /// The keys that were asked for.
    pub fn asked(self) -> Vec<&'static str> {
        self.asked
    }

    /// Reports the keys that nothing asked for.
    pub fn finish(self) {
        let entries = self.node.into_iter().flat_map(|node| node.entries());
        let unasked = entries.filter(|(key, _)| !self.asked.contains(&&*key.name));
        for (tree::Key { name, place }, node) in unasked {
            let owners = self.foreign.iter().filter(|foreign| *foreign.key == **name);
            let owners: Vec<&str> = owners.map(|foreign| foreign.owner.as_str()).collect();
            if owners.is_empty() {
                let worth = !self.found.is_full(Severity::Error);
                let hint = worth.then(|| suggest(name, self.asked.iter().copied())).flatten();
                self.found
                    .error("file.unknown-key", format!("unknown key `{name}`"))
                    .at(place)
                    .maybe_hint(hint);
            } else if !node.is_null() {
                let message = format!("`{name}` belongs to {}", owners.join(", "));
                self.found.error("file.foreign-key", message).at(place).hint("take it out");
            }
        }
    }
}
