//! Checks every file, and finds the ones with tests.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    catalog::{
        catalog::Catalog,
        chain::{self, Alone},
        entry,
        error::Error,
        files::{Entry, Top},
        load::{self, Mode},
        resolve::blueprint::Extent,
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        action::Action,
        blueprint::{Blueprint, Integration},
        name::BlueprintId,
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
        let entries = paths.is_empty() || paths.iter().any(|path| path.ends_with(entry::FILE));
        if entries {
            checked.integrations = self.check_entries(found);
        }
        let blueprints = self.selected(Top::Blueprints, paths);
        let actions = self.selected(Top::Actions, paths);
        if paths.is_empty() {
            self.tell_strays(found);
        } else if !entries && blueprints.is_empty() && actions.is_empty() {
            let hint = "name files or folders of `blueprints/` and `actions/`, or `integrations.yaml`";
            let message = "there is nothing to check at these paths".to_owned();
            found.push(Severity::Error, "file.nothing", message, None, Some(hint.to_owned()));
        }
        for entry in blueprints.iter().chain(&actions).filter(|entry| entry.shadows()) {
            let shown = entry.location.shown();
            let message = format!("`{shown}` stands in for the built-in file of that name");
            found.push(Severity::Note, "file.shadows", message, None, None);
        }
        found.extend(in_parallel(&blueprints, |entry, found| self.check_blueprint(entry, found)));
        found.extend(in_parallel(&actions, |entry, found| self.check_action(entry, found)));
        found.sort();
        checked.blueprints = blueprints.len();
        checked.actions = actions.len();
        checked
    }

    fn selected(&self, top: Top, paths: &[PathBuf]) -> Vec<&Entry> {
        // In a project the shipped files are not the user's concern.
        let shipped = self.root().is_none();
        let concerns = |entry: &&Entry| {
            (shipped || entry.location.is_project())
                && (paths.is_empty() || paths.iter().any(|path| names(self.root(), entry, path)))
        };
        self.files().all(top).filter(concerns).collect()
    }

    /// Says which files nothing will ever find.
    fn tell_strays(&self, found: &mut Diagnostics) {
        for (top, hint) in [
            (Top::Blueprints, "blueprints are read from `blueprints/<name>/vN.yaml`, names in lower case"),
            (Top::Actions, "actions are read from `actions/<blueprint>/<name>.yaml`, names in lower case"),
        ] {
            for path in self.files().strays(top) {
                let message = format!("`{path}` is never read");
                found.push(Severity::Warning, "file.stray", message, None, Some(hint.to_owned()));
            }
        }
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
            let with = (&environment, Mode::Live);
            let result = load::integration(self.files(), (key, node), with, &mut own);
            let ignored = &mut Diagnostics::default();
            let (_, missing) = entry::interpolated(node, self.root(), &environment, ignored);
            for missing in missing.iter().filter(|missing| load::only_signs_in(missing)) {
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
        if BlueprintId::parse(&id).is_none() {
            let shown = entry.location.shown();
            let message = format!("`{shown}` is no version of a blueprint");
            let hint = "files are named `v0.yaml`, `v1.yaml` …".to_owned();
            found.push(Severity::Error, "file.wrong-name", message, None, Some(hint));
            return;
        }
        let mut own = Diagnostics::default();
        if let Err(error) = chain::alone(self.files(), &id, Extent::Base, &mut own) {
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
        let node = self.files().read(&entry.location)?;
        let named = node.get("blueprint").filter(|node| node.as_str().is_some());
        let reference = named.and_then(|node| node.as_str()).unwrap_or(&entry.folder);
        let ignored = &mut Diagnostics::default();
        let Alone { blueprint, tree, config } =
            chain::alone(self.files(), reference, Extent::Whole, ignored)
                .map_err(|error| chain::at_place(error, named.map(|node| &node.place)))?;
        let action = load::action((entry, &node), (&blueprint, &tree), found)?;
        Ok((action, alone(blueprint, config)))
    }

    /// The files with tests: the project's, or the built-in ones; or those named.
    pub fn testable(&self, paths: &[PathBuf]) -> Vec<Testable> {
        let blueprints = self.selected(Top::Blueprints, paths).into_iter().map(|entry| {
            let id = format!("{}:{}", entry.folder, entry.stem);
            let file = entry.location.shown();
            let ignored = &mut Diagnostics::default();
            match chain::alone(self.files(), &id, Extent::Base, ignored) {
                Ok(alone) => Testable::Blueprint(file, Arc::new(alone.blueprint)),
                Err(error) => Testable::Broken(file, error),
            }
        });
        let actions = self.selected(Top::Actions, paths).into_iter().map(|entry| {
            let file = entry.location.shown();
            match self.testable_action(entry, &mut Diagnostics::default()) {
                Ok((action, integration)) => {
                    Testable::Action(file, Arc::new(action), Arc::new(integration))
                }
                Err(error) => Testable::Broken(file, error),
            }
        });
        blueprints.chain(actions).collect()
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
            file.starts_with(path)
                || path
                    .canonicalize()
                    .is_ok_and(|path| file.canonicalize().is_ok_and(|f| f.starts_with(path)))
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
fn in_parallel(entries: &[&Entry], check: impl Fn(&Entry, &mut Diagnostics) + Sync) -> Diagnostics {
    let all = Mutex::new(Diagnostics::default());
    let threads = if entries.len() < 16 { 1 } else { std::thread::available_parallelism().map_or(2, usize::from).min(8) };
    let work = |entries: &[&Entry]| {
        let mut own = Diagnostics::default();
        for entry in entries {
            check(entry, &mut own);
        }
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
