//! A blueprint with its parents: found by name and version, merged along `extends_blueprint`.

use std::sync::Arc;

use serde_json::json;

use crate::{
    catalog::{
        error::Error,
        files::Files,
        form::fields::{UNCERTAIN, read, read_part},
        format::{
            blueprint::{self, Extent, Identity, Resolved, Use},
            layer,
        },
        listing::{Entry, Top},
        source::{self, Aside},
        tree::Node,
        yaml::Parsed,
    },
    diagnostic::{Diagnostics, Place, suggest},
    model::name::BlueprintId,
};

/// Longer chains of parents are refused.
const LONGEST: usize = 16;

/// A blueprint's tree with its parents merged in.
#[derive(Debug)]
pub struct Chain {
    /// Merged.
    pub tree: Arc<Node>,
    /// Nearest first; never empty.
    pub ids: Arc<[BlueprintId]>,
    /// Faults that leave the rest of the tree standing.
    pub found: Diagnostics,
    /// Whether a parent is missing, so that not all of what is read of the tree holds.
    pub is_partial: bool,
}

/// A blueprint file by name and version; without a version the newest.
pub fn find<'f>(files: &'f Files, reference: &str) -> Result<(BlueprintId, &'f Entry), Error> {
    let wanted = BlueprintId::parse(reference);
    let name = wanted.as_ref().map_or(reference, BlueprintId::name);
    let entries = files.folder(Top::Blueprints, name)?;
    let versions = entries
        .iter()
        .filter_map(|entry| Some((BlueprintId::parse(&format!("{name}:{}", entry.stem))?, entry)));
    let found = match &wanted {
        Some(wanted) => versions.clone().find(|(id, _)| id == wanted),
        None => versions.clone().max_by_key(|(id, _)| id.version()),
    };
    found.ok_or_else(|| {
        let known: Vec<String> = versions.map(|(id, _)| id.to_string()).collect();
        let hint = if known.is_empty() {
            suggest(name, files.names(Top::Blueprints).into_iter().flatten())
        } else {
            Some(format!("there are: {}", known.join(", ")))
        };
        Error::Unknown { kind: "blueprint", name: reference.to_owned(), hint }
    })
}

/// Reads a blueprint and its parents, and merges them. The error: the blueprint itself cannot be
/// read; a parent that cannot is a fault of the chain.
pub fn chain(files: &Files, reference: &str, aside: Aside) -> Result<Chain, Error> {
    let mut trees: Vec<Arc<Node>> = Vec::new();
    let mut ids: Vec<BlueprintId> = Vec::new();
    let mut found = Diagnostics::default();
    let mut is_partial = false;
    let mut next = Some((reference.to_owned(), None));
    while let Some((reference, named)) = next.take() {
        let read = match find(files, &reference).map_err(|error| at_place(error, named.as_ref())) {
            Ok((id, _)) if ids.contains(&id) => {
                let message = format!("`extends_blueprint` goes in a circle through `{id}`");
                Err(cycle(message, named.as_ref()))
            }
            Ok(_) if ids.len() >= LONGEST => {
                let message = format!("more than {LONGEST} blueprints extend one another");
                Err(cycle(message, named.as_ref()))
            }
            Ok((id, entry)) => source::read(files, entry, &id, aside).map(|parsed| (id, parsed)),
            Err(error) => Err(error),
        };
        match read {
            Ok((id, Parsed { tree, found: more })) => {
                next = tree
                    .get("extends_blueprint")
                    .and_then(|node| Some((node.as_str()?.to_owned(), Some(node.place.clone()))));
                // What was to be merged in is missing, too.
                is_partial |= more.list().iter().any(|fault| fault.code == "file.syntax");
                found.extend(more);
                ids.push(id);
                trees.push(tree);
            }
            Err(error) if trees.is_empty() => return Err(error),
            Err(error) => {
                found.extend(error.into_diagnostics());
                is_partial = true;
            }
        }
    }
    // `tests` are of the file they stand in; everything else is inherited.
    let merged =
        trees.into_iter().rev().reduce(|parent, child| layer::over(&untested(&parent), &child));
    match merged {
        Some(tree) => Ok(Chain { tree, ids: ids.into(), found, is_partial }),
        None => Err(Error::Unknown { kind: "blueprint", name: reference.to_owned(), hint: None }),
    }
}

impl Chain {
    /// Resolves the blueprint alone, with the defaults of its settings; `tree` is this one's, or a
    /// part of it.
    pub fn resolve(
        &self,
        tree: &Arc<Node>,
        extent: Extent,
        diagnostics: &mut Diagnostics,
    ) -> Result<Resolved, Diagnostics> {
        diagnostics.extend(self.found.clone());
        let id = self.ids.first().cloned();
        let resolved = id.and_then(|id| {
            let used = Use { name: id.key(), config: json!({}) };
            let identity = Identity { id, chain: Arc::clone(&self.ids), extent, used };
            let form = blueprint::form(&identity);
            if self.is_partial {
                read_part(tree, form, &UNCERTAIN, diagnostics);
                return None;
            }
            read(tree, form, diagnostics)
        });
        match resolved {
            Some(resolved) if !diagnostics.has_errors() => Ok(resolved),
            Some(_) | None => Err(std::mem::take(diagnostics)),
        }
    }
}

/// An unknown blueprint is told where it is named.
pub fn at_place(error: Error, place: Option<&Place>) -> Error {
    match (error, place) {
        (Error::Unknown { kind, name, hint }, Some(place)) => {
            let mut diagnostics = Diagnostics::default();
            let message = format!("there is no {kind} `{name}`");
            diagnostics.error("file.unknown-blueprint", message).at(place).maybe_hint(hint);
            Error::Invalid(diagnostics)
        }
        (error, _) => error,
    }
}

fn cycle(message: String, place: Option<&Place>) -> Error {
    let mut diagnostics = Diagnostics::default();
    diagnostics.error("file.cycle", message).maybe_at(place);
    Error::Invalid(diagnostics)
}

fn untested(node: &Arc<Node>) -> Arc<Node> {
    node.without(&["tests"])
}
