//! `Catalog`: finds and loads, by name.

use std::{
    cmp::Reverse,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::{
    catalog::{
        chain,
        entry::{self, Entries},
        env::Environment,
        error::Error,
        files::{Entry, Files, Top},
        load::{self, Mode},
        resolve::blueprint::Extent,
        summary::{self, ActionSummary, BlueprintSummary, IntegrationSummary},
        tree::{Key, Kind, Node},
    },
    diagnostic::{Diagnostics, suggest},
    model::{
        action::Action,
        blueprint::{Blueprint, Integration},
        name::{self, BlueprintId},
    },
};

/// An integration and the tree of its blueprint, which actions need.
type Loaded = (Arc<Integration>, Arc<Node>);

/// The files of a project over the built-in ones. Opening it reads nothing.
pub struct Catalog {
    files: Files,
    real: Environment,
    environment: OnceLock<Environment>,
    entries: OnceLock<Result<Entries, Error>>,
    loaded: Mutex<HashMap<(String, Mode), Loaded>>,
}

impl Catalog {
    /// A catalog over a project folder, or over the built-in files alone.
    pub fn open(root: Option<PathBuf>, environment: Environment) -> Self {
        Self {
            files: Files::new(root),
            real: environment,
            environment: OnceLock::new(),
            entries: OnceLock::new(),
            loaded: Mutex::default(),
        }
    }

    /// The project folder.
    pub fn root(&self) -> Option<&Path> {
        self.files.root()
    }

    /// The files.
    pub(in crate::catalog) fn files(&self) -> &Files {
        &self.files
    }

    /// The entries of `integrations.yaml`.
    pub fn entries(&self) -> Result<&Entries, Error> {
        self.entries.get_or_init(|| entry::read(&self.files)).as_ref().map_err(Clone::clone)
    }

    /// The environment with the project's `.env`.
    pub fn environment(&self) -> &Environment {
        self.environment.get_or_init(|| {
            entry::environment(self.root(), &self.real, &mut Diagnostics::default())
        })
    }

    /// An integration; without an entry of that name the newest blueprint of that name.
    pub fn integration(&self, name: &str, mode: Mode) -> Result<Arc<Integration>, Error> {
        let key = (name.to_owned(), mode);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((integration, _)) = loaded.get(&key) {
            return Ok(Arc::clone(integration));
        }
        let (integration, tree) = self.load(name, mode)?;
        let integration = Arc::new(integration);
        loaded.insert(key, (Arc::clone(&integration), tree));
        Ok(integration)
    }

    fn load(&self, name: &str, mode: Mode) -> Result<(Integration, Arc<Node>), Error> {
        let mut diagnostics = Diagnostics::default();
        let entries = self.entries()?;
        if let Some((key, node)) = load::entry_of(entries, name) {
            return load::integration(
                &self.files,
                (key, node),
                (self.environment(), mode),
                &mut diagnostics,
            );
        }
        if entries.diagnostics.has_errors() {
            return Err(Error::Invalid(entries.diagnostics.clone()));
        }
        let found = chain::find(&self.files, name).ok().filter(|_| name::is_valid(name));
        let Some((id, _)) = found else { return Err(self.unknown_integration(name)) };
        // As if the entry were `name: {extends_blueprint: name:vN}`.
        let file = Arc::new(crate::diagnostic::SourceFile {
            name: "(no entry)".to_owned(),
            text: String::new(),
        });
        let place = crate::diagnostic::Place { file, span: 0..0 };
        let make = |kind| Arc::new(Node { kind, place: place.clone(), origin: None });
        let key = |name: &str| Key { name: name.into(), place: place.clone() };
        let reference = make(Kind::String(id.to_string().into()));
        let node = make(Kind::Map(vec![(key("extends_blueprint"), reference)]));
        load::integration(
            &self.files,
            (&key(name), &node),
            (self.environment(), mode),
            &mut diagnostics,
        )
    }

    /// The error for a name that is neither an entry nor a blueprint.
    pub fn unknown_integration(&self, name: &str) -> Error {
        let entries = self
            .entries()
            .map(|entries| entries.list.iter().map(|(key, _)| key.name.to_string()).collect());
        let mut known: Vec<String> = entries.unwrap_or_default();
        known.extend(self.files.names(Top::Blueprints).map(str::to_owned));
        known.sort();
        known.dedup();
        let hint = suggest(name, known.iter().map(String::as_str));
        Error::Unknown { kind: "integration", name: name.to_owned(), hint }
    }

    /// A blueprint by `name:vN`, or the newest of that name.
    pub fn blueprint(&self, reference: &str) -> Result<Arc<Blueprint>, Error> {
        let found = &mut Diagnostics::default();
        let alone = chain::alone(&self.files, reference, Extent::Whole, found)?;
        Ok(Arc::new(alone.blueprint))
    }

    /// An action of an integration, found along its chain of blueprints.
    pub fn action(&self, integration: &Integration, name: &str) -> Result<Arc<Action>, Error> {
        let entries = load::actions(&self.files, &integration.blueprint.chain);
        let globs = &integration.actions;
        let offered = |stem: &str| globs.is_empty() || globs.iter().any(|glob| fits(glob, stem));
        let mut candidates: Vec<&&Entry> = entries
            .iter()
            .filter(|entry| entry.stem == name || load::versioned(&entry.stem).0 == name)
            .filter(|entry| offered(load::versioned(&entry.stem).0))
            .collect();
        candidates
            .sort_by_key(|entry| (entry.stem != name, Reverse(load::versioned(&entry.stem).1)));
        let trees = candidates.into_iter().map(|entry| (entry, self.files.read(&entry.location)));
        let trees: Vec<_> = trees.collect();
        // The newest one of the blueprint's own version; else the newest, to say what is wrong.
        let chain = &integration.blueprint.chain;
        let meant = |tree: &Node| {
            let id = tree.get("blueprint").and_then(|node| BlueprintId::parse(node.as_str()?));
            id.is_some_and(|id| chain.contains(&id))
        };
        let fit = trees.iter().position(|(_, tree)| tree.as_ref().is_ok_and(|tree| meant(tree)));
        let Some((entry, node)) = trees.into_iter().nth(fit.unwrap_or(0)) else {
            let known = entries.iter().map(|entry| entry.stem.as_str());
            let known: Vec<&str> = known.filter(|stem| offered(stem)).collect();
            let hint = suggest(name, known.iter().copied()).or_else(|| {
                known.is_empty().then(|| format!("`{}` has no actions", integration.blueprint.id))
            });
            let name = format!("{}/{name}", integration.name);
            return Err(Error::Unknown { kind: "action", name, hint });
        };
        let tree = self.tree_of(integration)?;
        let found = &mut Diagnostics::default();
        let action = load::action((entry, &node?), (&integration.blueprint, &tree), found)?;
        Ok(Arc::new(action))
    }

    fn tree_of(&self, integration: &Integration) -> Result<Arc<Node>, Error> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            loaded.values().find(|(known, _)| std::ptr::eq(&raw const **known, integration));
        match found {
            Some((_, tree)) => Ok(Arc::clone(tree)),
            None => Ok(chain::chain(&self.files, &integration.blueprint.id.to_string())?.tree),
        }
    }

    /// The entries, broken ones with their problem.
    pub fn integrations(&self) -> Result<Vec<IntegrationSummary>, Error> {
        let mut all = summary::integrations(self.entries()?);
        for one in &mut all {
            match self.integration(&one.name, Mode::Live) {
                Ok(integration) => one.title.clone_from(&integration.blueprint.title),
                Err(error) => one.problem = Some(error.to_string()),
            }
        }
        Ok(all)
    }

    /// All blueprints.
    pub fn blueprints(&self) -> Vec<BlueprintSummary> {
        summary::blueprints(&self.files)
    }

    /// The actions of a chain of blueprints.
    pub fn actions_of(&self, chain: &[BlueprintId]) -> Vec<ActionSummary> {
        summary::actions(&self.files, load::actions(&self.files, chain))
    }

    /// All actions.
    pub fn actions(&self) -> Vec<ActionSummary> {
        summary::actions(&self.files, self.files.all(Top::Actions))
    }

    /// The merged tree of an integration, each value with its origin: entry keys over the
    /// blueprint's.
    pub fn show(&self, name: &str) -> Result<Arc<Node>, Error> {
        let entries = self.entries()?;
        let Some((key, node)) = load::entry_of(entries, name) else {
            return chain::chain(&self.files, name)
                .map(|chain| chain.tree)
                .map_err(|_| self.unknown_integration(name));
        };
        let mut diagnostics = Diagnostics::default();
        let environment = (self.environment(), Mode::Sandbox);
        let merged = load::merged(&self.files, (key, node), environment, &mut diagnostics)?;
        let shown = entry::interpolated(node, self.root(), self.environment(), &mut diagnostics).0;
        let own = shown.entries().iter().filter(|(key, _)| merged.tree.get(&key.name).is_none());
        let hidden = ["tests", "sandbox", "notes", "blueprint"];
        let below =
            merged.tree.entries().iter().filter(|(key, _)| {
                !hidden.contains(&&*key.name) && &*key.name != "extends_blueprint"
            });
        let all = own.chain(below).cloned().collect();
        Ok(Arc::new(Node { kind: Kind::Map(all), place: node.place.clone(), origin: None }))
    }
}

/// `*` stands for any characters.
fn fits(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            ("*", "x", true),
            ("list-*", "list-a", true),
            ("list-*", "post", false),
            ("*-a*b", "x-a-b", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
        }
    }
}
