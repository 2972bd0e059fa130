//! A layer of files over another: a blueprint over its parent, an entry over its blueprint.

use std::sync::Arc;

use crate::catalog::{
    form::prelude::*,
    format::{auth, paginate},
    merge::merge,
    tree::{Kind, Node},
};

/// The upper layer over the lower one. Where it changes how one signs in or how lists are paged,
/// it does not inherit what only the other mode or kind has.
pub fn over(lower: &Arc<Node>, upper: &Arc<Node>) -> Arc<Node> {
    let lower = within(lower, upper, "auth", &auth::OWNED);
    let lower = within(&lower, upper, "paginate", &paginate::OWNED);
    merge(&lower, upper)
}

fn within(lower: &Arc<Node>, upper: &Node, key: &str, owned: &Owned) -> Arc<Node> {
    let (Some(old), Some(new)) = (lower.get(key), upper.get(key)) else {
        return Arc::clone(lower);
    };
    let inherited = owned.inherited(old, new);
    if Arc::ptr_eq(&inherited, old) {
        return Arc::clone(lower);
    }
    let entries = lower.entries().iter().map(|(name, node)| {
        let node = if *name.name == *key { &inherited } else { node };
        (name.clone(), Arc::clone(node))
    });
    let kind = Kind::Map(entries.collect());
    Arc::new(Node { kind, place: lower.place.clone(), origin: None })
}
