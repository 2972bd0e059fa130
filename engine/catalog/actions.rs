//! The actions of a blueprint, each read when it is first asked for.

use std::{
    cmp::Reverse,
    sync::{Arc, OnceLock},
};

use crate::{
    catalog::{
        error::Error,
        files::Files,
        form::fields::{UNCERTAIN, read, read_part},
        format::{
            action::{self, Expected},
            placed,
        },
        listing::{Entry, Top},
        slots::{Lasting, Slots},
        tree::Node,
        yaml::Parsed,
    },
    diagnostic::Diagnostics,
    model::{action::Action, blueprint::Blueprint, name::BlueprintId},
    policy::plan::PreparedAction,
};

/// The actions along a blueprint's chain. A broken one breaks itself alone.
#[derive(Debug)]
pub struct Actions {
    files: Arc<Files>,
    blueprint: Arc<Blueprint>,
    /// Of the blueprint.
    tree: Arc<Node>,
    /// By the names that may be asked for: `list`, and `list.v1` for one version.
    slots: OnceLock<Slots<Result<Arc<PreparedAction>, Error>>>,
}

impl Lasting for PreparedAction {}

impl Actions {
    /// The actions of a blueprint; nothing is read yet.
    pub fn new(files: &Arc<Files>, blueprint: Arc<Blueprint>, tree: Arc<Node>) -> Self {
        Self { files: Arc::clone(files), blueprint, tree, slots: OnceLock::new() }
    }

    /// An action by its name; `None` if there is none.
    pub fn get(&self, name: &str) -> Option<Result<Arc<PreparedAction>, Error>> {
        match self.slots() {
            Ok(slots) => slots.get(name, || self.read(name)),
            Err(error) => Some(Err(error)),
        }
    }

    /// The names of their files, nearest blueprint first.
    pub fn stems(&self) -> Result<Vec<&str>, Error> {
        let files = files_of(&self.files, &self.blueprint.chain)?;
        Ok(files.into_iter().map(|entry| entry.stem.as_str()).collect())
    }

    /// Whether the action has been read, and is sound.
    pub fn is_ready(&self, name: &str) -> bool {
        let made = self.slots.get().and_then(|slots| slots.made(name));
        made.is_some_and(Result::is_ok)
    }

    fn slots(&self) -> Result<&Slots<Result<Arc<PreparedAction>, Error>>, Error> {
        if let Some(slots) = self.slots.get() {
            return Ok(slots);
        }
        let names = self.stems()?.into_iter().flat_map(|stem| [stem, versioned(stem).0]);
        Ok(self.slots.get_or_init(|| Slots::new(names)))
    }

    fn read(&self, name: &str) -> Result<Arc<PreparedAction>, Error> {
        let chain = &self.blueprint.chain;
        let mut candidates: Vec<&Entry> = files_of(&self.files, chain)?
            .into_iter()
            .filter(|entry| entry.stem == name || versioned(&entry.stem).0 == name)
            .collect();
        candidates.sort_by_key(|entry| (entry.stem != name, Reverse(versioned(&entry.stem).1)));
        let read = |entry: &Entry| self.files.read_untested(&entry.location);
        let trees = candidates.into_iter().map(|entry| (entry, read(entry)));
        let trees: Vec<_> = trees.collect();
        // The newest one of the blueprint's own version; else the newest, to say what is wrong.
        let meant = |parsed: &Parsed| {
            let id =
                parsed.tree.get("blueprint").and_then(|node| BlueprintId::parse(node.as_str()?));
            id.is_some_and(|id| chain.contains(&id))
        };
        let fit = trees.iter().position(|(_, read)| read.as_ref().is_ok_and(&meant));
        let Some((entry, parsed)) = trees.into_iter().nth(fit.unwrap_or(0)) else {
            let kind = "action";
            return Err(Error::Unknown { kind, name: name.to_owned(), hint: None });
        };
        let Parsed { tree, mut found } = parsed?;
        let action = resolved((entry, &tree), (&self.blueprint, &self.tree), &mut found)?;
        Ok(Arc::new(PreparedAction::new(action, &self.blueprint)))
    }
}

/// The action files of a chain of blueprints; nearer ones hide farther ones of the same name.
fn files_of<'f>(files: &'f Files, chain: &[BlueprintId]) -> Result<Vec<&'f Entry>, Error> {
    let mut found: Vec<&Entry> = Vec::new();
    for id in chain {
        for entry in files.folder(Top::Actions, id.name())? {
            if !found.iter().any(|known| known.stem == entry.stem) {
                found.push(entry);
            }
        }
    }
    Ok(found)
}

/// `list-channels.v1` → the name and the version, if the file says one.
pub fn versioned(stem: &str) -> (&str, Option<u32>) {
    match stem.rsplit_once(".v").and_then(|(name, v)| Some((name, v.parse().ok()?))) {
        Some((name, version)) => (name, Some(version)),
        None => (stem, None),
    }
}

/// Reports what is wrong with an action whose blueprint is unknown or broken.
pub fn look(entry: &Entry, node: &Arc<Node>, found: &mut Diagnostics) {
    let name = versioned(&entry.stem).0;
    let expected = Expected { name, folder: &entry.folder, blueprint: None, paginate: None };
    // Only `paginate` is merged over something: the blueprint's.
    let steps = node.get("steps").map_or(&[][..], |steps| steps.items());
    let pages = |step: &Arc<Node>| step.get("paginate").is_some();
    let uncertain = if steps.iter().any(pages) { &UNCERTAIN[..] } else { &["template.name"] };
    read_part(node, action::form(expected), uncertain, found);
}

/// Resolves an action against a blueprint.
pub fn resolved(
    (entry, node): (&Entry, &Arc<Node>),
    (blueprint, tree): (&Blueprint, &Node),
    diagnostics: &mut Diagnostics,
) -> Result<Action, Error> {
    let expected = Expected {
        name: versioned(&entry.stem).0,
        folder: &entry.folder,
        blueprint: Some(blueprint),
        paginate: tree.get("paginate"),
    };
    let action = read(node, action::form(expected), diagnostics);
    for step in node.get("steps").into_iter().flat_map(|steps| steps.items()) {
        placed::step(step, blueprint, diagnostics);
    }
    match action {
        Some(action) if !diagnostics.has_errors() => Ok(action),
        Some(_) | None => Err(Error::Invalid(std::mem::take(diagnostics))),
    }
}
