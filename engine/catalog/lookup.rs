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
        blueprint::{Blueprint, Integration},
        name::{self, BlueprintId},
    },
    policy::plan::PreparedAction,
};

/// An integration and the tree of its blueprint, which actions need.
type Loaded = (Arc<Integration>, Arc<Node>);

/// The files of a project over the built-in ones. Opening it reads nothing.
pub struct Catalog {
    files: Files,
    /// The same files, as far as runs read them.
    lean: Files,
    real: Environment,
    environment: OnceLock<Environment>,
    entries: OnceLock<Result<Entries, Error>>,
    loaded: Mutex<HashMap<(String, Mode), Loaded>>,
    /// By integration and name.
    actions: Mutex<HashMap<(usize, String), Arc<PreparedAction>>>,
}

impl Catalog {
    /// A catalog over a project folder, or over the built-in files alone.
    pub fn open(root: Option<PathBuf>, environment: Environment) -> Self {
        Self {
            lean: Files::lean(root.clone()),
            files: Files::new(root),
            real: environment,
            environment: OnceLock::new(),
            entries: OnceLock::new(),
            loaded: Mutex::default(),
            actions: Mutex::default(),
        }
    }

    /// The project folder.
    pub fn root(&self) -> Option<&Path> {
        self.files.root()
    }

    /// The files.
    pub fn files(&self) -> &Files {
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
        let files = match mode {
            Mode::Live => &self.lean,
            Mode::Sandbox => &self.files,
        };
        if let Some((key, node)) = load::entry_of(entries, name) {
            return load::integration(
                files,
                (key, node),
                (self.environment(), mode),
                &mut diagnostics,
            );
        }
        if entries.diagnostics.has_errors() {
            return Err(Error::Invalid(entries.diagnostics.clone()));
        }
        let found = chain::find(files, name).ok().filter(|_| name::is_valid(name));
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
        load::integration(files, (&key(name), &node), (self.environment(), mode), &mut diagnostics)
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
    pub fn action(
        &self,
        integration: &Arc<Integration>,
        name: &str,
    ) -> Result<Arc<PreparedAction>, Error> {
        // Integrations that were handed out stay, so that their addresses name them.
        let key = (Arc::as_ptr(integration) as usize, name.to_owned());
        let kept = |actions: &HashMap<_, Arc<PreparedAction>>| actions.get(&key).map(Arc::clone);
        if let Some(action) = kept(&self.actions.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(action);
        }
        let action = self.read_action(integration, name)?;
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.insert(key, Arc::clone(&action));
        Ok(action)
    }

    fn read_action(
        &self,
        integration: &Integration,
        name: &str,
    ) -> Result<Arc<PreparedAction>, Error> {
        let entries = load::actions(&self.lean, &integration.blueprint.chain);
        let globs = &integration.actions;
        let offered = |stem: &str| globs.is_empty() || globs.iter().any(|glob| fits(glob, stem));
        let mut candidates: Vec<&&Entry> = entries
            .iter()
            .filter(|entry| entry.stem == name || load::versioned(&entry.stem).0 == name)
            .filter(|entry| offered(load::versioned(&entry.stem).0))
            .collect();
        candidates
            .sort_by_key(|entry| (entry.stem != name, Reverse(load::versioned(&entry.stem).1)));
        let trees = candidates.into_iter().map(|entry| (entry, self.lean.read(&entry.location)));
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
        Ok(Arc::new(PreparedAction::new(action, &integration.blueprint)))
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
    use std::{fs, time::Duration};

    use super::*;

    const SEED: &str = "    ms-teams:
        extends_blueprint: ms-teams:v0

        oauth_client_id: '<YOUR MS TEAMS CLIENT ID>' # Make sure to quote it so YAML parses it as a string
        oauth_client_secret: ${MS_TEAMS_CLIENT_SECRET}
        oauth_scopes:
            - offline_access     # Most likely you want this scope, see note below
            - the scopes
            - you need
";

    fn catalog(files: &[(&str, &str)], variables: &[(&str, &str)]) -> (tempfile::TempDir, Catalog) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = Environment::new(variables);
        let catalog = Catalog::open(Some(folder.path().to_owned()), environment);
        (folder, catalog)
    }

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

    #[test]
    fn the_seed_loads_as_printed() {
        let (_folder, catalog) = catalog(&[("integrations.yaml", SEED)], &[]);
        let teams = catalog.integration("ms-teams", Mode::Live).unwrap();
        assert_eq!(teams.oauth_client_id.as_deref(), Some("<YOUR MS TEAMS CLIENT ID>"));
        let scopes = ["offline_access", "the scopes", "you need"].map(str::to_owned);
        assert_eq!(teams.oauth_scopes.as_deref(), Some(&scopes[..]));
        // Missing, and blocking nothing but sign-in and refresh.
        assert!(teams.oauth_client_secret.is_none());
        let missing = ("oauth_client_secret".to_owned(), "MS_TEAMS_CLIENT_SECRET".to_owned());
        assert_eq!(teams.missing, [missing]);
        assert!(catalog.action(&teams, "list-channels").is_ok());
        let codes: Vec<_> = catalog.check(&[]).diagnostics.list.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["file.bare-entries", "file.missing-variable"]);
    }

    #[test]
    fn a_missing_variable_blocks_its_integration_alone() {
        let text = "integrations:
  broken: {extends_blueprint: 'ms-teams:v0', config: {tenant: '${TENANT}'}}
  sound: {extends_blueprint: 'ms-teams:v0', config: {tenant: '${OTHER:-common}'}}
  typo: {extends_blueprint: 'ms-teams:v0', confg: {}}
";
        let (_folder, found) = catalog(&[("integrations.yaml", text)], &[]);
        let error = found.integration("broken", Mode::Live).unwrap_err().to_string();
        assert_eq!(error, "`TENANT` is not set");
        // Nothing is blocked in the sandbox: the default stands in.
        let sandboxed = found.integration("broken", Mode::Sandbox).unwrap();
        assert_eq!(sandboxed.config["tenant"], "common");
        assert!(found.integration("sound", Mode::Live).is_ok());
        assert!(found.integration("typo", Mode::Live).is_err());
        let problems: Vec<_> =
            found.integrations().unwrap().into_iter().map(|one| one.problem.is_some()).collect();
        assert_eq!(problems, [true, false, true]);
        let (_folder, found) = catalog(&[("integrations.yaml", text)], &[("TENANT", "acme.test")]);
        assert_eq!(found.integration("broken", Mode::Live).unwrap().config["tenant"], "acme.test");
    }

    #[test]
    fn an_entry_overrides_its_blueprint() {
        let text = "integrations:
  mine:
    extends_blueprint: ms-teams:v0
    http_request_timeout_seconds: 0
    actions: ['list-*']
    retry: {attempts: 2}
    limits: [{name: app, concurrency: 3}, {name: mine, rate: 1/1s}]
    responses: [{when: {status: 418}, is: retry}]
";
        let (_folder, catalog) = catalog(&[("integrations.yaml", text)], &[]);
        let mine = catalog.integration("mine", Mode::Live).unwrap();
        let blueprint = &mine.blueprint;
        assert_eq!(blueprint.requests.timeout, None);
        assert_eq!(
            (blueprint.retry.attempts, blueprint.retry.initial),
            (2, Duration::from_millis(500))
        );
        let limits: Vec<_> =
            blueprint.limits.iter().map(|limit| (limit.name.as_str(), limit.concurrency)).collect();
        // The entry's own stand first; the shipped ones follow.
        assert_eq!(limits[..3], [("app", Some(3)), ("mine", None), ("post", None)]);
        assert_eq!(blueprint.limits[0].per.len(), 2, "merged by key");
        let shipped = catalog.blueprint("ms-teams").unwrap();
        assert_eq!(blueprint.rules.len(), shipped.rules.len() + 1);
        assert!(catalog.action(&mine, "list-channels").is_ok());
        let hidden = catalog.action(&mine, "post-message").unwrap_err();
        assert_eq!(hidden.to_string(), "there is no action `mine/post-message`");
    }

    #[test]
    fn names_that_are_not_there_get_a_hint() {
        use crate::diagnostic::Explain;

        let catalog = Catalog::open(None, Environment::default());
        // Without a project the shipped blueprints serve.
        let teams = catalog.integration("ms-teams", Mode::Live).unwrap();
        for (error, code, hint) in [
            (
                catalog.integration("ms-team", Mode::Live).err(),
                "call.unknown-integration",
                "ms-teams",
            ),
            (
                catalog.integration("ms-teams:v0", Mode::Live).err(),
                "call.unknown-integration",
                "ms-teams",
            ),
            (catalog.blueprint("ms-teams:v9").err(), "call.unknown-blueprint", "ms-teams:v0"),
            (catalog.action(&teams, "list-channel").err(), "call.unknown-action", "list-channels"),
        ] {
            let error = error.unwrap();
            assert_eq!(error.code(), code);
            assert!(
                error.hint().is_some_and(|text| text.contains(hint)),
                "{error}: {:?}",
                error.hint()
            );
        }
        for odd in ["../ms-teams", "ms-teams/../slack", "", "a\0b"] {
            assert!(catalog.integration(odd, Mode::Live).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn a_broken_action_breaks_itself_alone() {
        let (_folder, catalog) = catalog(
            &[
                ("integrations.yaml", "integrations: {t: {extends_blueprint: 'ms-teams:v0'}}"),
                ("actions/ms-teams/broken.yaml", "action: ["),
            ],
            &[],
        );
        let teams = catalog.integration("t", Mode::Live).unwrap();
        assert!(catalog.action(&teams, "broken").is_err());
        assert!(catalog.action(&teams, "list-channels").is_ok());
        assert!(catalog.actions_of(&teams.blueprint.chain).iter().any(|one| one.name == "broken"));
    }

    #[test]
    fn settings_are_checked_at_their_place() {
        let text = "integrations:
  a: {extends_blueprint: 'ms-teams:v0', config: {tenant: 'x y'}}
  b: {extends_blueprint: 'ms-teams:v0', config: {tenat: x}}
  C: {extends_blueprint: 'ms-teams:v0'}
  d: {extends_blueprint: ms-teams}
";
        let (_folder, catalog) = catalog(&[("integrations.yaml", text)], &[]);
        let checked = catalog.check(&[]);
        let found: Vec<_> = checked
            .diagnostics
            .list
            .iter()
            .map(|d| (d.code, d.place.as_ref().map(|place| place.start().line)))
            .collect();
        assert_eq!(
            found,
            [
                ("file.bad-config", Some(2)),
                ("file.bad-config", Some(3)),
                ("file.bad-name", Some(4)),
                ("file.no-version", Some(5)),
            ]
        );
    }
}
