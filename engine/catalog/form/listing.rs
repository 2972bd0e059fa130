//! What is left of a reader that reads nothing: the list of what it asked for.

use crate::catalog::form::{
    description::{Description, Kind, Owners, Row},
    key::{Form, Key},
};

/// Where listed keys go.
pub struct Listing<'a> {
    /// The format, as far as it is known.
    pub all: &'a mut Description,
    /// The object at hand.
    pub part: usize,
}

/// A value of another key, by which the keys at hand belong to the object.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// That key, such as `auth_mode`.
    pub by: &'static str,
    /// Its value.
    pub value: &'static str,
}

/// Whether a key must be there, and what holds without it.
pub enum Need {
    /// It must.
    Needed,
    /// What holds without it, as a file would say it.
    Default(Option<String>),
}

impl Listing<'_> {
    /// Lists a key.
    pub fn add<F: Form>(&mut self, key: Key, form: &mut F, need: Need, owner: Option<Owner>) {
        let kind = form.kind(self.all);
        let own = if let Kind::Text(example) = &kind { *example } else { None };
        let row = Row {
            name: key.name,
            doc: key.doc,
            needed: matches!(need, Need::Needed) && !key.inherited && owner.is_none(),
            default: match need {
                Need::Default(default) => default,
                Need::Needed => None,
            },
            example: key.example.or(own),
            owners: owner.map(|Owner { by, value }| Owners { by, values: vec![value] }),
            kind,
        };
        self.all.row(self.part, row);
    }
}
