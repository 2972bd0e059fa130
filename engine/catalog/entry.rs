//! `integrations.yaml`: its entries as trees.

use std::{fs, io, path::Path, sync::Arc};

use crate::{
    catalog::{
        env::{self, Environment, Missing},
        error::Error,
        files::{Files, Location, Way},
        tree::{Key, Kind, Node},
        yaml::{self, Parsed},
    },
    diagnostic::Diagnostics,
};

/// The file's name, by which a project is found.
pub const FILE: &str = "integrations.yaml";

/// The entries of the file, in order.
#[derive(Debug, Default)]
pub struct Entries {
    /// Key and tree of each.
    pub list: Vec<(Key, Arc<Node>)>,
    /// Problems of the file as a whole, and notes.
    pub diagnostics: Diagnostics,
    /// Whether there is a file.
    pub exists: bool,
    /// Whether its keys are those that were written: none stands twice.
    pub is_sound: bool,
}

/// Reads the file. Without a project there are no entries.
pub fn read(files: &Files) -> Result<Entries, Error> {
    let Some(path) = files.root().map(|root| root.join(FILE)) else {
        return Ok(Entries { is_sound: true, ..Entries::default() });
    };
    // Any other fault is one of the file: what cannot be looked at may hold everything.
    let gone = fs::symlink_metadata(&path).err().filter(|e| e.kind() == io::ErrorKind::NotFound);
    if gone.is_some() {
        return Ok(Entries { is_sound: true, ..Entries::default() });
    }
    let location = Location::Project(path, FILE.to_owned(), Way::Unknown);
    let Parsed { tree, found: mut diagnostics } = files.read(&location)?;
    let is_sound = diagnostics.is_empty();
    let list = match tree.get("integrations") {
        Some(node) => {
            for (key, _) in tree.entries().iter().filter(|(key, _)| &*key.name != "integrations") {
                let message = format!("there is no key `{}` beside `integrations`", key.name);
                let hint = "indent it, if it is an entry".to_owned();
                diagnostics.error("file.unknown-key", message).at(&key.place).hint(hint);
            }
            is_object(node, &mut diagnostics);
            node.entries().to_vec()
        }
        None if !is_object(&tree, &mut diagnostics) => Vec::new(),
        None => bare(&tree, &mut diagnostics),
    };
    Ok(Entries { list, diagnostics, is_sound, exists: true })
}

/// Entries stand in an object, or there are none.
fn is_object(node: &Node, diagnostics: &mut Diagnostics) -> bool {
    let fits = matches!(node.kind, Kind::Map(_) | Kind::Null);
    if !fits {
        let message = format!("expected an object, found {}", node.describe());
        let hint =
            "an entry is a name and what it extends: `ms-teams: {extends_blueprint: ms-teams:v0}`";
        diagnostics.error("file.wrong-type", message).at(&node.place).hint(hint);
    }
    fits
}

/// A file whose top-level entries all extend a blueprint loads too.
fn bare(tree: &Node, diagnostics: &mut Diagnostics) -> Vec<(Key, Arc<Node>)> {
    let entries = tree.entries();
    if entries.iter().all(|(_, node)| node.get("extends_blueprint").is_some())
        && !entries.is_empty()
    {
        let message =
            "the entries stand at the top level; `integrations:` is their usual root".to_owned();
        diagnostics.note("file.bare-entries", message).at(&tree.place);
        return entries.to_vec();
    }
    if !matches!(tree.kind, Kind::Null) && !entries.is_empty() {
        let message = "there is no `integrations`".to_owned();
        let hint = "write the entries below `integrations:`".to_owned();
        diagnostics.error("file.missing-key", message).at(&tree.place).hint(hint);
    }
    Vec::new()
}

/// The environment with the project's `.env`, over which the real one wins.
pub fn environment(
    root: Option<&Path>,
    real: &Environment,
    diagnostics: &mut Diagnostics,
) -> Environment {
    let file = root.map(|root| root.join(".env")).filter(|path| path.is_file());
    let Some(bytes) = file.and_then(|path| fs::read(path).ok()) else { return real.clone() };
    match yaml::source(".env".to_owned(), bytes) {
        Ok(source) => real.clone().with_file(&source, diagnostics),
        Err(found) => {
            diagnostics.extend(found);
            real.clone()
        }
    }
}

/// An entry with its `${…}` replaced.
pub fn interpolated(
    entry: &Arc<Node>,
    root: Option<&Path>,
    environment: &Environment,
    diagnostics: &mut Diagnostics,
) -> (Arc<Node>, Vec<Missing>) {
    let found = env::interpolate(entry, environment, root, diagnostics);
    (found.tree, found.missing)
}

/// The entry without the places where variables are missing.
pub fn without(node: &Arc<Node>, missing: &[Missing]) -> Arc<Node> {
    missing.iter().fold(Arc::clone(node), |node, missing| pruned(&node, &missing.pointer))
}

fn pruned(node: &Arc<Node>, path: &[String]) -> Arc<Node> {
    let Some((first, rest)) = path.split_first() else { return Arc::clone(node) };
    let below = |child: &Arc<Node>| (!rest.is_empty()).then(|| pruned(child, rest));
    let kind = match &node.kind {
        Kind::Map(entries) => Kind::Map(
            entries
                .iter()
                .filter_map(|(key, child)| {
                    let child =
                        if *key.name == **first { below(child)? } else { Arc::clone(child) };
                    Some((key.clone(), child))
                })
                .collect(),
        ),
        Kind::List(items) => Kind::List(
            items
                .iter()
                .enumerate()
                .filter_map(|(index, child)| {
                    if index.to_string() == *first { below(child) } else { Some(Arc::clone(child)) }
                })
                .collect(),
        ),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return Arc::clone(node),
    };
    Arc::new(Node { kind, place: node.place.clone(), origin: node.origin.clone() })
}
