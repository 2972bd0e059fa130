//! Checks every file, and finds the ones with tests.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    catalog::{
        catalog::Catalog,
        entry,
        error::Error,
        files::{self, Entry},
        load::{self, Mode},
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        action::Action,
        blueprint::{Blueprint, Integration},
        secret::Secret,
    },
};

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every problem, sorted by place.
    pub diagnostics: Diagnostics,
    /// How many blueprints were read.
    pub blueprints: usize,
    /// How many actions.
    pub actions: usize,
    /// How many entries of `integrations.yaml`.
    pub integrations: usize,
}

/// A file with tests.
pub enum Testable {
    /// A blueprint.
    Blueprint(String, Arc<Blueprint>),
    /// An action, and the blueprint alone as an integration.
    Action(String, Arc<Action>, Arc<Integration>),
    /// A file that cannot be read.
    Broken(String, Error),
}

impl Catalog {
    /// Checks the project's files (and the built-in ones where there is no project), or only the
    /// files named.
    pub fn check(&self, paths: &[PathBuf]) -> Checked {
        let mut checked = Checked::default();
        let found = &mut checked.diagnostics;
        if paths.is_empty() || paths.iter().any(|path| path.ends_with(entry::FILE)) {
            checked.integrations = self.check_entries(found);
        }
        let blueprints = self.selected("blueprints", paths);
        let actions = self.selected("actions", paths);
        for entry in blueprints.iter().chain(&actions).filter(|entry| entry.shadows) {
            let message = format!("`{}` stands in for the built-in file of that name", entry.location.shown());
            found.push(Severity::Note, "file.shadows", message, None, None);
        }
        found.extend(in_parallel(&blueprints, |entry, found| self.check_blueprint(entry, found)));
        found.extend(in_parallel(&actions, |entry, found| self.check_action(entry, found)));
        found.sort();
        checked.blueprints = blueprints.len();
        checked.actions = actions.len();
        checked
    }

    fn selected(&self, top: &str, paths: &[PathBuf]) -> Vec<Entry> {
        let mut all = files::list(self.root(), top, None);
        // In a project the shipped files are not the user's concern.
        if self.root().is_some() {
            all.retain(|entry| entry.location.is_project());
        }
        if !paths.is_empty() {
            all.retain(|entry| paths.iter().any(|path| names(self.root(), entry, path)));
        }
        all
    }

    fn check_entries(&self, found: &mut Diagnostics) -> usize {
        let entries = match self.entries() {
            Ok(entries) => entries,
            Err(error) => {
                tell(error, found);
                return 0;
            }
        };
        found.extend(entries.diagnostics.clone());
        let environment = entry::environment(self.root(), self.environment(), found);
        for (key, node) in &entries.list {
            let mut own = Diagnostics::default();
            let result = load::integration(self.root(), (key, node), (&environment, Mode::Live), &mut own);
            let (_, missing) = entry::interpolated(node, self.root(), &environment, &mut Diagnostics::default());
            for missing in missing.iter().filter(|m| m.pointer.first().is_some_and(|p| p.starts_with("oauth_client"))) {
                load::tell_missing(missing, Severity::Warning, &mut own);
            }
            found.extend(own);
            if let Err(error) = result {
                tell(error, found);
            }
        }
        entries.list.len()
    }

    fn check_blueprint(&self, entry: &Entry, found: &mut Diagnostics) {
        let id = format!("{}:{}", entry.folder, entry.stem);
        if crate::model::name::BlueprintId::parse(&id).is_none() {
            let message = format!("`{}` is no version of a blueprint; files are named `v0.yaml`, `v1.yaml` …", entry.location.shown());
            found.error("file.wrong-name", message, None);
            return;
        }
        // A base for others is complete only with its children: `google:v0` has no `requests`.
        let mut own = Diagnostics::default();
        if let Err(error) = load::blueprint(self.root(), &id, &mut own) {
            tell(error, found);
        }
        found.extend(own);
    }

    fn check_action(&self, entry: &Entry, found: &mut Diagnostics) {
        let mut own = Diagnostics::default();
        if let Err(error) = self.testable_action(entry, &mut own) {
            tell(error, found);
        }
        found.extend(own);
    }

    /// An action with the blueprint that its file names, for which `config` has its defaults.
    fn testable_action(
        &self,
        entry: &Entry,
        found: &mut Diagnostics,
    ) -> Result<(Action, Integration), Error> {
        let node = files::read(self.root(), &entry.location)?;
        let reference = node.get("blueprint").and_then(|node| Some((node.as_str()?.to_owned(), node)));
        let (reference, place) = match reference {
            Some((text, node)) => (text, Some(node.place.clone())),
            None => (entry.folder.clone(), None),
        };
        let loaded = load::blueprint(self.root(), &reference, &mut Diagnostics::default());
        let (blueprint, tree, config) = loaded.map_err(|error| match error {
            Error::Unknown { name, hint, .. } => {
                let mut all = Diagnostics::default();
                let message = format!("there is no blueprint `{name}`");
                all.push(Severity::Error, "file.unknown-blueprint", message, place, hint);
                Error::Invalid(all)
            }
            Error::Invalid(_) | Error::Unreadable { .. } => error,
        })?;
        let action = load::action(self.root(), entry, (&blueprint, &tree), found)?;
        Ok((action, alone(blueprint, config)))
    }

    /// The files with tests: the project's, or the built-in ones; or those named.
    pub fn testable(&self, paths: &[PathBuf]) -> Vec<Testable> {
        let mut all = Vec::new();
        for entry in self.selected("blueprints", paths) {
            let id = format!("{}:{}", entry.folder, entry.stem);
            let file = entry.location.shown();
            all.push(match self.blueprint(&id) {
                Ok(blueprint) => Testable::Blueprint(file, blueprint),
                Err(error) => Testable::Broken(file, error),
            });
        }
        for entry in self.selected("actions", paths) {
            let file = entry.location.shown();
            all.push(match self.testable_action(&entry, &mut Diagnostics::default()) {
                Ok((action, integration)) => Testable::Action(file, Arc::new(action), Arc::new(integration)),
                Err(error) => Testable::Broken(file, error),
            });
        }
        all
    }
}

/// A blueprint as an integration of its own name.
fn alone(blueprint: Blueprint, config: serde_json::Value) -> Integration {
    Integration {
        name: blueprint.id.name.clone(),
        blueprint: Arc::new(blueprint),
        oauth_client_id: Some("client-id".to_owned()),
        oauth_client_secret: Some(Secret::new("client-secret".to_owned())),
        app_api_key: None,
        oauth_scopes: None,
        config,
        log_level: None,
        actions: Vec::new(),
        missing: Vec::new(),
    }
}

/// Whether a path of the command line names a file, or a folder around it.
fn names(root: Option<&Path>, entry: &Entry, path: &Path) -> bool {
    let below = Path::new(entry.location.shown().trim_start_matches("built-in:")).to_owned();
    let absolute = root.map(|root| root.join(&below));
    below.starts_with(path)
        || absolute.is_some_and(|file| {
            file.starts_with(path) || path.canonicalize().is_ok_and(|path| file.canonicalize().is_ok_and(|f| f.starts_with(path)))
        })
}

/// An error as diagnostics.
fn tell(error: Error, found: &mut Diagnostics) {
    match error {
        Error::Invalid(all) => found.extend(all),
        Error::Unknown { .. } => found.error("file.unknown-blueprint", error.to_string(), None),
        Error::Unreadable { .. } => found.error("file.unreadable", error.to_string(), None),
    }
}

/// Files are independent of one another: half of them for each of two threads, if there are many.
fn in_parallel(entries: &[Entry], check: impl Fn(&Entry, &mut Diagnostics) + Sync) -> Diagnostics {
    let all = Mutex::new(Diagnostics::default());
    let threads = if entries.len() < 16 { 1 } else { std::thread::available_parallelism().map_or(2, usize::from).min(8) };
    let work = |entries: &[Entry]| {
        let mut own = Diagnostics::default();
        entries.iter().for_each(|entry| check(entry, &mut own));
        all.lock().unwrap_or_else(PoisonError::into_inner).extend(own);
    };
    if threads == 1 {
        work(entries);
    } else {
        std::thread::scope(|scope| {
            for chunk in entries.chunks(entries.len().div_ceil(threads)) {
                scope.spawn(|| work(chunk));
            }
        });
    }
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}
