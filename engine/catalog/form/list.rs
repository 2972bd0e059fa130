//! Lists, and objects with any keys.

use std::{slice::from_ref, sync::Arc};

use crate::{
    catalog::{
        form::{
            description::{Description, Kind},
            key::{Blank, Form, wrong_type},
        },
        tree::{self, Node},
    },
    diagnostic::Diagnostics,
};

/// A list of these.
#[derive(Debug)]
pub struct List<F>(pub F);

/// An object of these, in order.
#[derive(Debug)]
pub struct Map<F>(pub F);

/// One of these, or a list of them.
#[derive(Debug)]
pub struct OneOrMany<F>(pub F);

/// One of the two; the first one if `first` says so.
pub struct Either<A, B> {
    /// Whether the node is for the first form.
    pub first: fn(&Node) -> bool,
    /// The first form.
    pub a: A,
    /// The second form.
    pub b: B,
}

impl<F: Form> Form for List<F> {
    type Value = Vec<F::Value>;

    fn kind(&mut self, all: &mut Description) -> Kind {
        Kind::List(Box::new(self.0.kind(all)))
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value> {
        let tree::Kind::List(items) = &node.kind else {
            return wrong_type(node, "a list", found);
        };
        Some(items.iter().filter_map(|item| self.0.read(item, found)).collect())
    }
}

impl<F: Form> Blank for List<F> {
    fn blank(&mut self) -> Self::Value {
        Vec::new()
    }
}

impl<F: Form> Form for Map<F> {
    type Value = Vec<(String, F::Value)>;

    fn kind(&mut self, all: &mut Description) -> Kind {
        Kind::Map(Box::new(self.0.kind(all)))
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value> {
        let tree::Kind::Map(entries) = &node.kind else {
            return wrong_type(node, "an object", found);
        };
        let mut all = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            all.extend(self.0.read(node, found).map(|value| (key.name.to_string(), value)));
        }
        Some(all)
    }
}

impl<F: Form> Blank for Map<F> {
    fn blank(&mut self) -> Self::Value {
        Vec::new()
    }
}

impl<F: Form> Form for OneOrMany<F> {
    type Value = Vec<F::Value>;

    fn kind(&mut self, all: &mut Description) -> Kind {
        let one = self.0.kind(all);
        Kind::Either(vec![one.clone(), Kind::List(Box::new(one))])
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value> {
        let all = if let tree::Kind::List(items) = &node.kind {
            items.as_slice()
        } else {
            from_ref(node)
        };
        Some(all.iter().filter_map(|item| self.0.read(item, found)).collect())
    }
}

impl<V, A: Form<Value = V>, B: Form<Value = V>> Form for Either<A, B> {
    type Value = V;

    fn kind(&mut self, all: &mut Description) -> Kind {
        Kind::Either(vec![self.a.kind(all), self.b.kind(all)])
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<V> {
        if (self.first)(node) { self.a.read(node, found) } else { self.b.read(node, found) }
    }
}

impl<V, A: Form<Value = V>, B: Blank<Value = V>> Blank for Either<A, B> {
    fn blank(&mut self) -> V {
        self.b.blank()
    }
}

/// What a form reads, made into something else.
pub struct Mapped<F: Form, T> {
    /// What reads.
    pub form: F,
    /// What is made of it.
    pub map: fn(F::Value) -> T,
}

impl<F: Form, T> Form for Mapped<F, T> {
    type Value = T;

    fn kind(&mut self, all: &mut Description) -> Kind {
        self.form.kind(all)
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<T> {
        self.form.read(node, found).map(self.map)
    }
}

impl<F: Blank, T> Blank for Mapped<F, T> {
    fn blank(&mut self) -> T {
        (self.map)(self.form.blank())
    }
}
