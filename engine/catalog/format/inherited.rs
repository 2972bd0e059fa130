//! Lists that a blueprint and an entry over it have in common, element by element.

use std::sync::Arc;

use crate::catalog::tree::{Kind, Node};

/// Which elements of a list are those of the list that it was merged over.
pub struct Inherited {
    key: &'static str,
    /// Of each element, its position there.
    positions: Vec<Option<usize>>,
}

impl Inherited {
    /// Of the list at a key: the elements of `tree` that `parent` has, too.
    pub fn new(tree: &Node, parent: Option<&Node>, key: &'static str) -> Self {
        let of = |tree: &Node| tree.get(key).map(|list| list.items().to_vec()).unwrap_or_default();
        let old = parent.map(of).unwrap_or_default();
        // What a setting decides is another in each use.
        let varies = |node: &Node| {
            let rate = node.get("rate").and_then(|rate| rate.as_str());
            rate.is_some_and(|rate| rate.contains("{{"))
        };
        let position = |node: &Arc<Node>| {
            old.iter().position(|other| Arc::ptr_eq(other, node)).filter(|_| !varies(node))
        };
        Self { key, positions: of(tree).iter().map(position).collect() }
    }

    /// The tree without these elements.
    pub fn leave_out(&self, tree: &Arc<Node>) -> Arc<Node> {
        let own = |list: &Arc<Node>| {
            let items = list.items().iter().zip(&self.positions);
            let own = items.filter(|(_, position)| position.is_none());
            let kind = Kind::List(own.map(|(node, _)| Arc::clone(node)).collect());
            Arc::new(Node { kind, place: list.place.clone(), origin: None })
        };
        let entries = tree.entries().iter().map(|(key, node)| {
            let is_list = *key.name == *self.key && matches!(node.kind, Kind::List(_));
            (key.clone(), if is_list { own(node) } else { Arc::clone(node) })
        });
        let kind = Kind::Map(entries.collect());
        Arc::new(Node { kind, place: tree.place.clone(), origin: None })
    }

    /// What became of all elements, in their order.
    pub fn join<T>(&self, own: Vec<T>, parent: &[Arc<T>]) -> Arc<[Arc<T>]> {
        let mut own = own.into_iter().map(Arc::new);
        let all = self.positions.iter().filter_map(|position| match position {
            Some(position) => parent.get(*position).map(Arc::clone),
            None => own.next(),
        });
        all.collect()
    }
}
