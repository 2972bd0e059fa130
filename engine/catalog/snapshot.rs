//! What the files say at one time. Nothing in it ever changes; parts are read when they are first
//! asked for, and kept.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::{
    catalog::{
        base::{Base, Bases},
        chain,
        config::Findings,
        entry::{self, Entries},
        env::Environment,
        error::Error,
        files::Files,
        listing::Top,
        load::{self, With},
        loaded::Loaded,
        slots::{Lasting, Slot, Slots},
        summary::{self, ActionSummary, BlueprintSummary, IntegrationSummary},
        tree::{Key, Kind, Node},
    },
    diagnostic::{Diagnostics, Place, SourceFile, suggest},
    model::{blueprint::Blueprint, name::BlueprintName},
};

/// The files of a project over the built-in ones.
#[derive(Debug)]
pub struct Snapshot {
    files: Arc<Files>,
    bases: Bases,
    real: Arc<Environment>,
    environment: Slot<Arc<Environment>>,
    /// Kept if it could be read.
    table: OnceLock<Table>,
    /// Blueprints that no entry is named like, as if there were one.
    implied: OnceLock<Slots<Arc<Loaded>>>,
    actions: OnceLock<Vec<ActionSummary>>,
}

/// The entries of `integrations.yaml`.
#[derive(Debug)]
struct Table {
    entries: Entries,
    positions: HashMap<Arc<str>, usize>,
    /// By position.
    loaded: Vec<Slot<Arc<Loaded>>>,
}

impl Lasting for Environment {
    fn lasts(&self) -> bool {
        !self.lacks_file()
    }
}

impl Snapshot {
    /// The same, of which nothing is read later than now: the texts of all files are kept.
    pub fn read(root: Option<PathBuf>, environment: &Arc<Environment>) -> Self {
        let snapshot = Self::open(root, environment);
        snapshot.files.hold();
        snapshot.environment();
        snapshot
    }

    /// The files of a project folder, or the built-in ones alone. Reads nothing.
    pub fn open(root: Option<PathBuf>, environment: &Arc<Environment>) -> Self {
        let files = Arc::new(Files::new(root));
        Self {
            bases: Bases::new(&files),
            files,
            real: Arc::clone(environment),
            environment: Slot::default(),
            table: OnceLock::new(),
            implied: OnceLock::new(),
            actions: OnceLock::new(),
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
        self.listed().map(|table| &table.entries)
    }

    /// The entries for use: in a file where a key stands twice, or a tag is lost, none is what its
    /// author meant.
    fn table(&self) -> Result<&Table, Error> {
        let table = self.listed()?;
        if table.entries.is_sound {
            return Ok(table);
        }
        Err(Error::Invalid(table.entries.diagnostics.clone()))
    }

    fn listed(&self) -> Result<&Table, Error> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let entries = entry::read(&self.files)?;
        let names = entries.list.iter().map(|(key, _)| Arc::clone(&key.name));
        let positions = names.enumerate().map(|(at, name)| (name, at)).collect();
        let loaded = entries.list.iter().map(|_| Slot::default()).collect();
        Ok(self.table.get_or_init(|| Table { entries, positions, loaded }))
    }

    /// The environment with the project's `.env`.
    fn environment(&self) -> Arc<Environment> {
        let read = || Arc::new(self.environment_telling(&mut Diagnostics::default()));
        self.environment.get(read)
    }

    /// The same, with what is wrong with `.env`.
    pub fn environment_telling(&self, found: &mut Diagnostics) -> Environment {
        entry::environment(self.root(), &self.real, found)
    }

    fn load(&self, entry: (&Key, &Arc<Node>)) -> Loaded {
        let environment = &*self.environment();
        load::load(With { bases: &self.bases, environment }, entry)
    }

    /// An integration and its actions; without an entry of that name the newest blueprint of that
    /// name. Whether it is sound is told by what it gives.
    pub fn integration(&self, name: &str) -> Result<Arc<Loaded>, Error> {
        let table = self.table()?;
        if let Some(position) = table.positions.get(name) {
            return self.entry(table, *position).ok_or_else(|| self.unknown_integration(name));
        }
        if table.entries.diagnostics.has_errors() {
            return Err(Error::Invalid(table.entries.diagnostics.clone()));
        }
        if !BlueprintName::fits(name) {
            return Err(self.unknown_integration(name));
        }
        let (id, _) = chain::find(&self.files, name).map_err(|error| match error {
            Error::Unknown { .. } => self.unknown_integration(name),
            other @ (Error::Invalid(_) | Error::Unreadable { .. }) => other,
        })?;
        let names = self.files.names(Top::Blueprints)?;
        let slots = self.implied.get_or_init(|| Slots::new(names));
        let loaded = slots.get(name, || {
            let (key, node) = implied(name, &id.to_string());
            Arc::new(self.load((&key, &node)))
        });
        loaded.ok_or_else(|| self.unknown_integration(name))
    }

    fn entry(&self, table: &Table, position: usize) -> Option<Arc<Loaded>> {
        let (key, node) = table.entries.list.get(position)?;
        let slot = table.loaded.get(position)?;
        Some(slot.get(|| Arc::new(self.load((key, node)))))
    }

    /// All entries, in their order.
    pub fn all(&self) -> Result<impl Iterator<Item = (&str, Arc<Loaded>)>, Error> {
        let table = self.listed()?;
        Ok(table
            .entries
            .list
            .iter()
            .enumerate()
            .filter_map(|(position, (key, _))| Some((&*key.name, self.entry(table, position)?))))
    }

    /// An entry, if it has been loaded.
    pub fn made(&self, name: &str) -> Option<&Arc<Loaded>> {
        let table = self.table.get()?;
        table.loaded.get(*table.positions.get(name)?)?.made()
    }

    /// The error for a name that is neither an entry nor a blueprint.
    pub fn unknown_integration(&self, name: &str) -> Error {
        let entries = self
            .entries()
            .map(|entries| entries.list.iter().map(|(key, _)| key.name.to_string()).collect());
        let mut known: Vec<String> = entries.unwrap_or_default();
        known.extend(self.files.names(Top::Blueprints).into_iter().flatten().map(str::to_owned));
        known.sort();
        known.dedup();
        let hint = suggest(name, known.iter().map(String::as_str));
        Error::Unknown { kind: "integration", name: name.to_owned(), hint }
    }

    /// A blueprint with its sandbox, by `name:vN`, or the newest of that name.
    pub fn blueprint(&self, reference: &str) -> Result<Arc<Blueprint>, Error> {
        let base = self.base(reference)?;
        let blueprint = Blueprint::clone(&base.sound()?.resolved.blueprint);
        Ok(Arc::new(Blueprint { sandbox: base.sandbox()?, ..blueprint }))
    }

    /// A blueprint with what is made of it, by `name:vN`, or the newest of that name.
    pub fn base(&self, reference: &str) -> Result<Arc<Base>, Error> {
        self.bases.get(reference)
    }

    /// The entries, broken ones with their problem. To be listed, an entry that nothing has used yet
    /// is loaded and not kept: a list of thousands needs one of them at a time.
    pub fn integrations(&self) -> Result<impl Iterator<Item = IntegrationSummary>, Error> {
        let Table { entries, loaded, .. } = self.table()?;
        Ok(entries.list.iter().zip(loaded).map(|((key, node), slot)| {
            let live = match slot.made() {
                Some(loaded) => loaded.live(),
                None => self.load((key, node)).live(),
            };
            let mut summary = summary::integration(&key.name, node);
            match live {
                Ok(integration) => summary.title.clone_from(&integration.blueprint.title),
                Err(error) => summary.problem = Some(error.to_string()),
            }
            summary
        }))
    }

    /// All blueprints.
    pub fn blueprints(&self) -> Result<Vec<BlueprintSummary>, Error> {
        let entries = self.files.all(Top::Blueprints)?.into_iter();
        Ok(entries.map(|entry| summary::blueprint(&self.bases, entry)).collect())
    }

    /// All actions.
    pub fn actions(&self) -> Result<&[ActionSummary], Error> {
        let entries = self.files.all(Top::Actions)?.into_iter();
        let summary = |entry| summary::action(&self.files, entry);
        Ok(self.actions.get_or_init(|| entries.map(summary).collect()))
    }

    /// The merged tree of an integration, each value with its origin: entry keys over the
    /// blueprint's.
    pub fn show(&self, name: &str) -> Result<Arc<Node>, Error> {
        let table = self.table()?;
        let position = table.positions.get(name);
        let Some((_, node)) = position.and_then(|at| table.entries.list.get(*at)) else {
            return self.base(name).and_then(|base| base.whole()).map_err(|error| match error {
                Error::Unknown { .. } => self.unknown_integration(name),
                other @ (Error::Invalid(_) | Error::Unreadable { .. }) => other,
            });
        };
        let mut findings = Findings::default();
        let environment = &*self.environment();
        let with = With { bases: &self.bases, environment };
        let given = load::given(with, node, &mut findings)?;
        if !given.is_sound() {
            return Err(Error::Invalid(findings.always));
        }
        let merged = given.merged();
        let found = &mut Diagnostics::default();
        let shown = entry::interpolated(node, &self.files, environment, found).0;
        let own = shown.entries().iter().filter(|(key, _)| merged.get(&key.name).is_none());
        let hidden = ["tests", "sandbox", "notes", "blueprint"];
        let below = merged
            .entries()
            .iter()
            .filter(|(key, _)| !hidden.contains(&&*key.name) && &*key.name != "extends_blueprint");
        let all = own.chain(below).cloned().collect();
        Ok(Arc::new(Node { kind: Kind::Map(all), place: node.place.clone(), origin: None }))
    }
}

/// The entry `name: {extends_blueprint: name:vN}`.
fn implied(name: &str, reference: &str) -> (Key, Arc<Node>) {
    let file = SourceFile { name: "(no entry)".to_owned(), text: String::new() };
    let place = Place { file: Arc::new(file), span: 0..0 };
    let make = |kind| Arc::new(Node { kind, place: place.clone(), origin: None });
    let key = |name: &str| Key { name: name.into(), place: place.clone() };
    let reference = make(Kind::String(reference.into()));
    (key(name), make(Kind::Map(vec![(key("extends_blueprint"), reference)])))
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;
    use crate::{model::blueprint::Integration, policy::plan::PreparedAction};

    const SEED: &str = "    ms-teams:
        extends_blueprint: ms-teams:v0

        oauth_client_id: '<YOUR MS TEAMS CLIENT ID>' # Make sure to quote it so YAML parses it as a string
        oauth_client_secret: ${MS_TEAMS_CLIENT_SECRET}
        oauth_scopes:
            - offline_access     # Most likely you want this scope, see note below
            - the scopes
            - you need
";

    fn catalog(
        files: &[(&str, &str)],
        variables: &[(&str, &str)],
    ) -> (tempfile::TempDir, Snapshot) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let environment = Arc::new(Environment::new(variables));
        let catalog = Snapshot::open(Some(folder.path().to_owned()), &environment);
        (folder, catalog)
    }

    fn live(catalog: &Snapshot, name: &str) -> Result<Arc<Integration>, Error> {
        catalog.integration(name)?.live()
    }

    fn sandbox(catalog: &Snapshot, name: &str) -> Result<Arc<Integration>, Error> {
        catalog.integration(name)?.sandbox()
    }

    fn action(
        catalog: &Snapshot,
        integration: &Integration,
        name: &str,
    ) -> Result<Arc<PreparedAction>, Error> {
        catalog.integration(&integration.name)?.action(name)
    }

    #[test]
    fn the_seed_loads_as_printed() {
        let (_folder, catalog) = catalog(&[("integrations.yaml", SEED)], &[]);
        let teams = live(&catalog, "ms-teams").unwrap();
        assert_eq!(teams.oauth_client_id.as_deref(), Some("<YOUR MS TEAMS CLIENT ID>"));
        let scopes = ["offline_access", "the scopes", "you need"].map(str::to_owned);
        assert_eq!(teams.oauth_scopes.as_deref(), Some(&scopes[..]));
        // Missing, and blocking nothing but sign-in and refresh.
        assert!(teams.oauth_client_secret.is_none());
        let missing = ("oauth_client_secret".to_owned(), "MS_TEAMS_CLIENT_SECRET".to_owned());
        assert_eq!(teams.missing, [missing]);
        assert!(action(&catalog, &teams, "list-channels").is_ok());
        let codes: Vec<_> = catalog.check(&[]).diagnostics.list().iter().map(|d| d.code).collect();
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
        let error = live(&found, "broken").unwrap_err().to_string();
        assert_eq!(error, "`TENANT` is not set");
        // Nothing is blocked in the sandbox: the default stands in.
        let sandboxed = sandbox(&found, "broken").unwrap();
        assert_eq!(sandboxed.config["tenant"], "common");
        assert!(live(&found, "sound").is_ok());
        assert!(live(&found, "typo").is_err());
        let problems: Vec<_> =
            found.integrations().unwrap().map(|one| one.problem.is_some()).collect();
        assert_eq!(problems, [true, false, true]);
        let (_folder, found) = catalog(&[("integrations.yaml", text)], &[("TENANT", "acme.test")]);
        assert_eq!(live(&found, "broken").unwrap().config["tenant"], "acme.test");
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
        let mine = live(&catalog, "mine").unwrap();
        let blueprint = &mine.blueprint;
        assert_eq!(blueprint.timeout, None);
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
        assert!(action(&catalog, &mine, "list-channels").is_ok());
        let hidden = action(&catalog, &mine, "post-message").unwrap_err();
        assert_eq!(hidden.to_string(), "there is no action `mine/post-message`");
    }

    #[test]
    fn names_that_are_not_there_get_a_hint() {
        use crate::diagnostic::Explain;

        let catalog = Snapshot::open(None, &Arc::default());
        // Without a project the shipped blueprints serve.
        let teams = live(&catalog, "ms-teams").unwrap();
        for (error, code, hint) in [
            (live(&catalog, "ms-team").err(), "call.unknown-integration", "ms-teams"),
            (live(&catalog, "ms-teams:v0").err(), "call.unknown-integration", "ms-teams"),
            (catalog.blueprint("ms-teams:v9").err(), "call.unknown-blueprint", "ms-teams:v0"),
            (
                action(&catalog, &teams, "list-channel").err(),
                "call.unknown-action",
                "list-channels",
            ),
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
            assert!(live(&catalog, odd).is_err(), "{odd:?}");
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
        let teams = live(&catalog, "t").unwrap();
        assert!(action(&catalog, &teams, "broken").is_err());
        assert!(action(&catalog, &teams, "list-channels").is_ok());
        let loaded = catalog.integration("t").unwrap();
        assert!(loaded.action_names().unwrap().contains(&"broken"));
    }

    #[test]
    fn settings_are_checked_at_their_place() {
        let text = "integrations:
  a: {extends_blueprint: 'ms-teams:v0', config: {tenant: 'x y'}}
  b: {extends_blueprint: 'ms-teams:v0', config: {tenat: x}}
  C/d: {extends_blueprint: 'ms-teams:v0'}
  d: {extends_blueprint: ms-teams}
";
        let (_folder, catalog) = catalog(&[("integrations.yaml", text)], &[]);
        let checked = catalog.check(&[]);
        let found: Vec<_> = checked
            .diagnostics
            .list()
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

    const ACME: &str = "blueprint: acme:v0
integration: {type: object, properties: {speed: {type: string, default: 5/1s}}}
auth: {auth_mode: API_KEY}
requests: {base_url: 'https://api.acme.test', headers: {x-key: '{{credentials.api_key}}'}}
responses: [{when: {status: 418}, is: retry}]
";
    const LIST: &str = "action: list\nblueprint: acme:v0\nsteps: [{id: a, get: /a}]\n";

    /// Which entries share what with the first.
    #[test]
    fn what_an_entry_does_not_change_it_shares() {
        let text = "integrations:
  first: {extends_blueprint: 'acme:v0', oauth_client_id: a}
  plain: {extends_blueprint: 'acme:v0', oauth_client_id: b, config: {speed: 9/1s}}
  waits: {extends_blueprint: 'acme:v0', http_request_timeout_seconds: 5}
  moved: {extends_blueprint: 'acme:v0', requests: {base_url: 'https://eu.acme.test'}}
  rules: {extends_blueprint: 'acme:v0', responses: [{when: {status: 420}, is: retry}]}
  other: {extends_blueprint: 'acme:v0', connection: {type: object, properties: {a: {type: string}}}}
";
        let files = [
            ("integrations.yaml", text),
            ("blueprints/acme/v0.yaml", ACME),
            ("actions/acme/list.yaml", LIST),
        ];
        let (_folder, catalog) = catalog(&files, &[]);
        let first = live(&catalog, "first").unwrap();
        let list = action(&catalog, &first, "list").unwrap();
        let one = &first.blueprint;
        for (name, whole, requests, rules, actions) in [
            ("plain", true, true, true, true),
            ("waits", false, true, true, true),
            ("moved", false, false, true, true),
            ("rules", false, true, false, false),
            ("other", false, false, false, false),
        ] {
            let integration = live(&catalog, name).unwrap();
            let another = &integration.blueprint;
            let shared = (
                Arc::ptr_eq(one, another),
                Arc::ptr_eq(&one.requests, &another.requests),
                Arc::ptr_eq(&one.rules, &another.rules),
                Arc::ptr_eq(&list, &action(&catalog, &integration, "list").unwrap()),
            );
            assert_eq!(shared, (whole, requests, rules, actions), "{name}");
            assert_eq!(Arc::ptr_eq(&one.auth, &another.auth), name != "other", "{name}");
        }
        let moved = live(&catalog, "moved").unwrap();
        assert_eq!(moved.blueprint.requests.base_url.as_text(), Some("https://eu.acme.test"));
        assert_eq!(moved.blueprint.requests.headers.len(), 1, "merged by key");
        let rules = &live(&catalog, "rules").unwrap().blueprint.rules;
        assert!(rules.len() == 2 && Arc::ptr_eq(&rules[1], &one.rules[0]));
    }

    #[test]
    fn a_rate_is_that_of_the_entry() {
        let acme = format!("{ACME}limits: [{{name: app, rate: '{{{{integration.speed}}}}'}}]\n");
        let text = "integrations:
  slow: {extends_blueprint: 'acme:v0'}
  fast: {extends_blueprint: 'acme:v0', config: {speed: 9/1s}}
";
        let files = [("integrations.yaml", text), ("blueprints/acme/v0.yaml", &acme)];
        let (_folder, catalog) = catalog(&files, &[]);
        let [slow, fast] = ["slow", "fast"].map(|name| live(&catalog, name).unwrap());
        let rate = |integration: &Integration| integration.blueprint.limits[0].rate;
        assert_eq!(rate(&slow), crate::model::limit::Rate::parse("5/1s"));
        assert_eq!(rate(&fast), crate::model::limit::Rate::parse("9/1s"));
        assert!(Arc::ptr_eq(&slow.blueprint.requests, &fast.blueprint.requests));
    }

    #[test]
    fn a_broken_sandbox_breaks_what_is_played_alone() {
        let inline = format!("{ACME}sandbox: {{routes: [{{get: /a, statsu: 200}}]}}\n");
        let entries = ("integrations.yaml", "integrations: {a: {extends_blueprint: 'acme:v0'}}");
        for files in [
            vec![entries, ("blueprints/acme/v0.yaml", &*inline)],
            vec![
                entries,
                ("blueprints/acme/v0.yaml", ACME),
                ("blueprints/acme/v0.sandbox.yaml", "sandbox: [acme:v0"),
            ],
        ] {
            let (_folder, catalog) = catalog(&files, &[]);
            assert!(live(&catalog, "a").is_ok_and(|one| one.blueprint.has_sandbox));
            assert!(sandbox(&catalog, "a").is_err());
            assert!(catalog.check(&[]).diagnostics.has_errors());
        }
    }
}
