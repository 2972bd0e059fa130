//! What one layer of a file leaves to the next.

use std::sync::{Arc, OnceLock};

use crate::catalog::{
    form::description::{Description, Row, What},
    tree::{Kind, Node},
};

/// Keys that belong to values of another key.
#[derive(Debug)]
pub struct Owned {
    by: &'static str,
    describe: fn() -> Description,
    /// Found out when a layer first changes that value.
    rows: OnceLock<Vec<Row>>,
}

impl Owned {
    /// The keys of the first object of a description that belong to values of `by`.
    pub const fn new(by: &'static str, describe: fn() -> Description) -> Self {
        Self { by, describe, rows: OnceLock::new() }
    }

    fn rows(&self) -> &[Row] {
        self.rows.get_or_init(|| {
            match (self.describe)().parts.into_iter().next().map(|part| part.what) {
                Some(What::Object(rows)) => rows,
                Some(What::Choice(_)) | None => Vec::new(),
            }
        })
    }

    /// The lower layer as the upper one inherits it: where the upper one changes the value of the
    /// deciding key, without the keys that are foreign to the new value.
    pub fn inherited(&self, lower: &Arc<Node>, upper: &Node) -> Arc<Node> {
        let decided = |node: &Node| node.get(self.by).and_then(|n| n.as_str().map(str::to_owned));
        let (Some(old), Some(new)) = (decided(lower), decided(upper)) else {
            return Arc::clone(lower);
        };
        if old == new {
            return Arc::clone(lower);
        }
        let kept = lower.entries().iter().filter(|(key, _)| self.fits(&key.name, &new));
        let kind = Kind::Map(kept.cloned().collect());
        Arc::new(Node { kind, place: lower.place.clone(), origin: None })
    }

    fn fits(&self, key: &str, value: &str) -> bool {
        let mut rows = self.rows().iter().filter(|row| row.name == key).peekable();
        rows.peek().is_none()
            || rows.any(|row| row.owners.as_ref().is_none_or(|all| all.values.contains(&value)))
    }
}
