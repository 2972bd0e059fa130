//! A blueprint's file, and those of its parents, merged.

use std::{path::Path, sync::Arc};

use crate::{
    catalog::{
        error::Error,
        files::{self, Entry},
        merge::merge,
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, Place, Severity, suggest},
    model::name::BlueprintId,
};

/// Longer chains of parents are refused.
const LONGEST_CHAIN: usize = 16;

/// A blueprint's tree with its parents merged in.
pub struct Chain {
    /// Merged.
    pub tree: Arc<Node>,
    /// Nearest first.
    pub ids: Vec<BlueprintId>,
}

/// A blueprint file by name and version; without a version the newest.
pub fn find_blueprint(root: Option<&Path>, reference: &str) -> Result<(BlueprintId, Entry), Error> {
    let (name, id) = match BlueprintId::parse(reference) {
        Some(id) => (id.name.clone(), Some(id)),
        None => (reference.to_owned(), None),
    };
    let entries = files::list(root, "blueprints", Some(&name));
    let versions = entries.into_iter().filter_map(|entry| {
        let id = BlueprintId::parse(&format!("{name}:{}", entry.stem))?;
        Some((id, entry))
    });
    let mut versions: Vec<_> = versions.collect();
    versions.sort_by_key(|(id, _)| id.version);
    let known: Vec<String> = versions.iter().map(|(id, _)| id.to_string()).collect();
    let found = match id {
        Some(id) => versions.into_iter().find(|(found, _)| *found == id),
        None => versions.pop(),
    };
    found.ok_or_else(|| {
        let hint = if known.is_empty() {
            let mut names: Vec<String> =
                files::list(root, "blueprints", None).into_iter().map(|e| e.folder).collect();
            names.dedup();
            suggest(&name, names.iter().map(String::as_str))
        } else {
            Some(format!("there are: {}", known.join(", ")))
        };
        Error::Unknown { kind: "blueprint", name: reference.to_owned(), hint }
    })
}

/// Reads a blueprint and its parents.
pub fn chain(root: Option<&Path>, reference: &str) -> Result<Chain, Error> {
    let mut trees: Vec<Arc<Node>> = Vec::new();
    let mut ids: Vec<BlueprintId> = Vec::new();
    let mut next = Some((reference.to_owned(), None));
    while let Some((reference, named)) = next.take() {
        let (id, file) = match find_blueprint(root, &reference) {
            Ok(found) => found,
            Err(error) => return Err(at_place(error, named)),
        };
        if ids.contains(&id) || ids.len() >= LONGEST_CHAIN {
            let mut diagnostics = Diagnostics::default();
            let message = format!("`extends_blueprint` goes in a circle: {id} extends itself");
            diagnostics.error("file.cycle", message, named);
            return Err(Error::Invalid(diagnostics));
        }
        let tree = files::read(root, &file.location)?;
        named_alike(&tree, &id)?;
        next = tree
            .get("extends_blueprint")
            .and_then(|node| Some((node.as_str()?.to_owned(), Some(node.place.clone()))));
        ids.push(id);
        trees.push(tree);
    }
    // `tests` are of the file they stand in; everything else is inherited.
    let merged = trees.into_iter().rev().reduce(|parent, child| merge(&untested(&parent), &child));
    match merged {
        Some(tree) => Ok(Chain { tree, ids }),
        None => Err(Error::Unknown { kind: "blueprint", name: reference.to_owned(), hint: None }),
    }
}

fn untested(node: &Arc<Node>) -> Arc<Node> {
    let entries = node.entries().iter().filter(|(key, _)| &*key.name != "tests").cloned().collect();
    Arc::new(Node {
        kind: Kind::Map(entries),
        place: node.place.clone(),
        origin: node.origin.clone(),
    })
}

/// An unknown parent is told where it is named.
pub fn at_place(error: Error, place: Option<Place>) -> Error {
    match (error, place) {
        (Error::Unknown { kind, name, hint }, Some(place)) => {
            let mut diagnostics = Diagnostics::default();
            let message = format!("there is no {kind} `{name}`");
            diagnostics.push(Severity::Error, "file.unknown-blueprint", message, Some(place), hint);
            Error::Invalid(diagnostics)
        }
        (error, _) => error,
    }
}

/// The name inside a blueprint's file is that of its place.
fn named_alike(tree: &Node, id: &BlueprintId) -> Result<(), Error> {
    let mut diagnostics = Diagnostics::default();
    match tree.get("blueprint") {
        Some(node) if node.as_str() == Some(&id.to_string()) => return Ok(()),
        Some(node) => {
            let message = format!("this file's place says `{id}`, and it says {}", node.describe());
            diagnostics.error("file.wrong-name", message, Some(node.place.clone()));
        }
        None => {
            let message = format!("a blueprint begins with its name: `blueprint: {id}`");
            diagnostics.error("file.missing-key", message, Some(tree.place.clone()));
        }
    }
    Err(Error::Invalid(diagnostics))
}
