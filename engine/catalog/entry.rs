//! `integrations.yaml`: its entries as trees.

use std::{collections::HashMap, fs, io, path::Path, sync::Arc};

use crate::{
    catalog::{
        env::{self, Environment, Missing},
        error::Error,
        files::Files,
        listing::{Location, Way},
        tree::{Key, Kind, Node},
        yaml::{self, Parsed},
    },
    diagnostic::Diagnostics,
    file,
};

/// The file's name, by which a project is found.
pub const FILE: &str = "integrations.yaml";

/// The file with variables, beside it.
const DOTENV: &str = ".env";

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
    let Some(root) = root else { return real.clone() };
    let read = file::open(&root.join(DOTENV)).and_then(|file| file::read(file, yaml::MAX_FILE));
    let source = match read {
        Ok(bytes) => yaml::source(DOTENV.to_owned(), bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return real.clone(),
        Err(error) => {
            let file = DOTENV.to_owned();
            Err(Error::Unreadable { file, reason: error.to_string() }.into_diagnostics())
        }
    };
    match source {
        Ok(source) => real.clone().with_file(&source, diagnostics),
        Err(found) => {
            let reason = found.list().first().map(|found| found.message.clone());
            diagnostics.extend(found);
            real.clone().without_file(reason.unwrap_or_default())
        }
    }
}

/// An entry with its `${…}` replaced.
pub fn interpolated(
    entry: &Arc<Node>,
    files: &Files,
    environment: &Environment,
    diagnostics: &mut Diagnostics,
) -> (Arc<Node>, Vec<Missing>) {
    let included = |path: &str| files.included(path);
    let found = env::interpolate(entry, environment, &included, diagnostics);
    (found.tree, found.missing)
}

/// The entry without the places where variables are missing.
pub fn without(node: &Arc<Node>, missing: &[Missing]) -> Arc<Node> {
    let paths: Vec<&[String]> = missing.iter().map(|missing| &*missing.pointer).collect();
    if paths.is_empty() { Arc::clone(node) } else { pruned(node, &paths) }
}

/// A node without what lies at some paths, of which there is at least one; all of them at once, so
/// that many of them cost no more than the node.
fn pruned(node: &Arc<Node>, paths: &[&[String]]) -> Arc<Node> {
    let mut below: HashMap<&str, Vec<&[String]>> = HashMap::new();
    for path in paths {
        if let Some((first, rest)) = path.split_first() {
            below.entry(first).or_default().push(rest);
        }
    }
    let keep = |name: &str, child: &Arc<Node>| match below.get(name) {
        None => Some(Arc::clone(child)),
        Some(paths) if paths.iter().any(|path| path.is_empty()) => None,
        Some(paths) => Some(pruned(child, paths)),
    };
    let kind = match &node.kind {
        Kind::Map(entries) => {
            let kept = entries.iter();
            Kind::Map(kept.filter_map(|(k, n)| Some((k.clone(), keep(&k.name, n)?))).collect())
        }
        Kind::List(items) => {
            let kept = items.iter().enumerate();
            Kind::List(kept.filter_map(|(at, item)| keep(&at.to_string(), item)).collect())
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return Arc::clone(node),
    };
    Arc::new(Node { kind, place: node.place.clone(), origin: node.origin.clone() })
}
