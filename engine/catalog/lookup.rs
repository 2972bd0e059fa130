//! `Catalog`: finds and loads, by name.

use std::{
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
        load::{self, Mode},
        summary::{self, ActionSummary, BlueprintSummary, IntegrationSummary},
        tree::{Key, Kind, Node},
    },
    diagnostic::{Diagnostics, suggest},
    model::{
        action::Action,
        blueprint::{Blueprint, Integration},
        name::BlueprintId,
    },
};

/// An integration and the tree of its blueprint, which actions need.
type Loaded = (Arc<Integration>, Arc<Node>);

/// The files of a project over the built-in ones. Opening it reads nothing.
pub struct Catalog {
    root: Option<PathBuf>,
    real: Environment,
    environment: OnceLock<Environment>,
    entries: OnceLock<Result<Entries, Error>>,
    loaded: Mutex<HashMap<(String, Mode), Loaded>>,
}

impl Catalog {
    /// A catalog over a project folder, or over the built-in files alone.
    pub fn open(root: Option<PathBuf>, environment: Environment) -> Self {
        Self {
            root,
            real: environment,
            environment: OnceLock::new(),
            entries: OnceLock::new(),
            loaded: Mutex::default(),
        }
    }

    /// The project folder.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The entries of `integrations.yaml`.
    pub fn entries(&self) -> Result<&Entries, Error> {
        self.entries.get_or_init(|| entry::read(self.root())).as_ref().map_err(Clone::clone)
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
                self.root(),
                (key, node),
                (self.environment(), mode),
                &mut diagnostics,
            );
        }
        if entries.diagnostics.has_errors() {
            return Err(Error::Invalid(entries.diagnostics.clone()));
        }
        let (id, _) =
            chain::find_blueprint(self.root(), name).map_err(|_| self.unknown_integration(name))?;
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
            self.root(),
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
        known.extend(self.blueprint_names());
        known.sort();
        known.dedup();
        let hint = suggest(name, known.iter().map(String::as_str));
        Error::Unknown { kind: "integration", name: name.to_owned(), hint }
    }

    fn blueprint_names(&self) -> impl Iterator<Item = String> {
        crate::catalog::files::list(self.root(), "blueprints", None)
            .into_iter()
            .map(|entry| entry.folder)
    }

    /// A blueprint by `name:vN`, or the newest of that name.
    pub fn blueprint(&self, reference: &str) -> Result<Arc<Blueprint>, Error> {
        let (blueprint, _, _) =
            load::blueprint(self.root(), reference, &mut Diagnostics::default())?;
        Ok(Arc::new(blueprint))
    }

    /// An action of an integration, found along its chain of blueprints.
    pub fn action(&self, integration: &Integration, name: &str) -> Result<Arc<Action>, Error> {
        let entries = load::actions(self.root(), &integration.blueprint.chain);
        let offered = |stem: &str| {
            integration.actions.is_empty()
                || integration.actions.iter().any(|glob| fits(glob, stem))
        };
        let newest = entries
            .iter()
            .filter(|entry| entry.stem == name || load::versioned(&entry.stem).0 == name)
            .filter(|entry| offered(load::versioned(&entry.stem).0))
            .max_by_key(|entry| (entry.stem == name, load::versioned(&entry.stem).1));
        let Some(entry) = newest else {
            let known: Vec<&str> =
                entries.iter().map(|e| e.stem.as_str()).filter(|stem| offered(stem)).collect();
            let hint = suggest(name, known.iter().copied()).or_else(|| {
                known.is_empty().then(|| format!("`{}` has no actions", integration.blueprint.id))
            });
            return Err(Error::Unknown {
                kind: "action",
                name: format!("{}/{name}", integration.name),
                hint,
            });
        };
        let tree = self.tree_of(integration)?;
        let action = load::action(
            self.root(),
            entry,
            (&integration.blueprint, &tree),
            &mut Diagnostics::default(),
        )?;
        Ok(Arc::new(action))
    }

    fn tree_of(&self, integration: &Integration) -> Result<Arc<Node>, Error> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            loaded.values().find(|(known, _)| std::ptr::eq(&raw const **known, integration));
        match found {
            Some((_, tree)) => Ok(Arc::clone(tree)),
            None => Ok(chain::chain(self.root(), &integration.blueprint.id.to_string())?.tree),
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
        summary::blueprints(self.root())
    }

    /// The actions of a chain of blueprints.
    pub fn actions_of(&self, chain: &[BlueprintId]) -> Vec<ActionSummary> {
        summary::actions(self.root(), &load::actions(self.root(), chain))
    }

    /// All actions.
    pub fn actions(&self) -> Vec<ActionSummary> {
        summary::actions(self.root(), &crate::catalog::files::list(self.root(), "actions", None))
    }

    /// The merged tree of an integration, each value with its origin: entry keys over the
    /// blueprint's.
    pub fn show(&self, name: &str) -> Result<Arc<Node>, Error> {
        let entries = self.entries()?;
        let Some((key, node)) = load::entry_of(entries, name) else {
            return chain::chain(self.root(), name)
                .map(|chain| chain.tree)
                .map_err(|_| self.unknown_integration(name));
        };
        let mut diagnostics = Diagnostics::default();
        let environment = (self.environment(), Mode::Sandbox);
        let merged = load::merged(self.root(), (key, node), environment, &mut diagnostics)?;
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
