//! The snapshot in use, and how another takes its place.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crate::catalog::{entry, env::Environment, error::Error, snapshot::Snapshot};

/// The files of a project over the built-in ones, as they were last read. Opening it reads nothing.
#[derive(Debug)]
pub struct Catalog {
    root: Option<PathBuf>,
    environment: Arc<Environment>,
    /// Locked to copy or to replace the pointer, never while anything is read.
    current: RwLock<Arc<Snapshot>>,
    /// One at a time, so that an older reading never replaces a newer one. No reader waits for it.
    reloading: Mutex<()>,
}

/// What a reload came to.
#[derive(Debug)]
pub struct Reloaded {
    /// Whether the new snapshot is in use; if not, the one before still is.
    pub taken: bool,
    /// What cannot be used in the new one.
    pub broken: Vec<Broken>,
}

/// What cannot be used.
#[derive(Debug)]
pub struct Broken {
    /// `integrations.yaml`, an integration's name, or `integration/action`.
    pub name: String,
    /// Why.
    pub error: Error,
    /// Whether it can be used in the snapshot before.
    pub was_sound: bool,
}

impl Catalog {
    /// A catalog over a project folder, or over the built-in files alone.
    pub fn open(root: Option<PathBuf>, environment: Environment) -> Self {
        let environment = Arc::new(environment);
        let snapshot = Arc::new(Snapshot::open(root.clone(), &environment));
        Self { root, environment, current: RwLock::new(snapshot), reloading: Mutex::default() }
    }

    /// The snapshot in use. Whoever works with it keeps it: a reload changes nothing under them.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads all files anew, every entry and every action of it, and puts the new snapshot in place
    /// of the one in use. If `integrations.yaml` cannot be read, or if anything is broken that the
    /// one in use has sound, that one stays. What was not sound before, or is new, breaks itself
    /// alone. A process that reloads begins with a reload, because what has not been read cannot
    /// be kept.
    pub fn reload(&self) -> Reloaded {
        let _one = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Snapshot::read(self.root.clone(), &self.environment);
        let broken = broken(&new, &self.snapshot());
        let taken = broken.iter().all(|broken| !broken.was_sound);
        if taken {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        }
        Reloaded { taken, broken }
    }
}

/// Loads all of a new snapshot; what of it is broken.
fn broken(new: &Snapshot, old: &Snapshot) -> Vec<Broken> {
    let whole = new.entries().and_then(|entries| {
        let found = &entries.diagnostics;
        if !entries.exists && old.entries().is_ok_and(|old| old.exists) {
            // Without it every integration would be the built-in blueprint of its name, elsewhere.
            let (file, reason) = (entry::FILE.to_owned(), "it is gone".to_owned());
            return Err(Error::Unreadable { file, reason });
        }
        if found.has_errors() { Err(Error::Invalid(found.clone())) } else { new.all() }
    });
    let all = match whole {
        Ok(all) => all,
        Err(error) => {
            return vec![Broken { name: entry::FILE.to_owned(), error, was_sound: true }];
        }
    };
    let mut broken = Vec::new();
    for (name, loaded) in all {
        let before = old.made(name);
        if let Err(error) = loaded.live() {
            let was_sound = before.is_some_and(|before| before.live().is_ok());
            broken.push(Broken { name: name.to_owned(), error, was_sound });
            continue;
        }
        let actions = match loaded.action_names() {
            Ok(actions) => actions,
            Err(error) => {
                let was_sound = before.is_some();
                broken.push(Broken { name: name.to_owned(), error, was_sound });
                continue;
            }
        };
        for action in actions {
            let Err(error) = loaded.action(action) else { continue };
            let was_sound = before.is_some_and(|before| before.is_ready(action));
            broken.push(Broken { name: format!("{name}/{action}"), error, was_sound });
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;

    const ACME: &str = "blueprint: acme:v0
auth: {auth_mode: NONE}
requests: {base_url: 'https://api.acme.test'}
";
    const LIST: &str = "action: list\nblueprint: acme:v0\nsteps: [{id: a, get: /a}]\n";

    struct Project(tempfile::TempDir);

    impl Project {
        fn new(entries: &str) -> (Self, Catalog) {
            let project = Self(tempfile::tempdir().unwrap());
            project.write("blueprints/acme/v0.yaml", ACME);
            project.write("actions/acme/list.yaml", LIST);
            project.write("integrations.yaml", entries);
            let root = Some(project.0.path().to_owned());
            let catalog = Catalog::open(root, Environment::default());
            (project, catalog)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn entry(name: &str, url: &str) -> String {
        format!("  {name}: {{extends_blueprint: 'acme:v0', requests: {{base_url: '{url}'}}}}\n")
    }

    fn entries(url: &str) -> String {
        format!("integrations:\n{}{}", entry("a", url), entry("b", url))
    }

    fn base_url(snapshot: &Snapshot, name: &str) -> String {
        let integration = snapshot.integration(name).unwrap().live().unwrap();
        integration.blueprint.requests.base_url.as_text().unwrap().to_owned()
    }

    fn broken(reloaded: &Reloaded) -> Vec<(&str, bool)> {
        reloaded.broken.iter().map(|broken| (broken.name.as_str(), broken.was_sound)).collect()
    }

    #[test]
    fn who_began_with_a_snapshot_ends_with_it() {
        let (project, catalog) = Project::new(&entries("https://one.test"));
        let before = catalog.snapshot();
        let kept = before.integration("a").unwrap();
        project.write("integrations.yaml", &entries("https://two.test"));
        assert!(catalog.reload().taken);
        assert_eq!(
            kept.live().unwrap().blueprint.requests.base_url.as_text(),
            Some("https://one.test")
        );
        assert_eq!(base_url(&before, "a"), "https://one.test");
        assert_eq!(base_url(&catalog.snapshot(), "a"), "https://two.test");
    }

    #[test]
    fn what_breaks_what_worked_is_not_taken() {
        let (project, catalog) = Project::new(&entries("https://one.test"));
        assert!(catalog.reload().taken);
        let good = entries("https://two.test");
        for (path, text, found) in [
            ("integrations.yaml", "integrations: [", vec![("integrations.yaml", true)]),
            ("integrations.yaml", "entries: {}", vec![("integrations.yaml", true)]),
            ("blueprints/acme/v0.yaml", "blueprint: acme:v0\n", vec![("a", true), ("b", true)]),
            ("actions/acme/list.yaml", "action: [", vec![("a/list", true), ("b/list", true)]),
        ] {
            project.write("integrations.yaml", &good);
            project.write(path, text);
            let reloaded = catalog.reload();
            assert!(!reloaded.taken, "{text}");
            assert_eq!(broken(&reloaded), found, "{text}");
            assert_eq!(base_url(&catalog.snapshot(), "a"), "https://one.test", "{text}");
            assert!(catalog.snapshot().integration("a").unwrap().action("list").is_ok());
            project.write("blueprints/acme/v0.yaml", ACME);
            project.write("actions/acme/list.yaml", LIST);
        }
        project.write("integrations.yaml", &good);
        assert!(catalog.reload().taken);
        assert_eq!(base_url(&catalog.snapshot(), "a"), "https://two.test");
    }

    #[test]
    fn what_was_broken_or_is_new_breaks_itself_alone() {
        let typo = "  old: {extends_blueprint: 'acme:v0', confg: {}}\n";
        let (project, catalog) = Project::new(&(entries("https://one.test") + typo));
        let first = catalog.reload();
        assert_eq!((first.taken, broken(&first)), (true, vec![("old", false)]));
        let new = "  new: {extends_blueprint: 'acme:v0', confg: {}}\n";
        project.write("integrations.yaml", &(entries("https://two.test") + typo + new));
        let second = catalog.reload();
        assert_eq!((second.taken, broken(&second)), (true, vec![("old", false), ("new", false)]));
        assert_eq!(base_url(&catalog.snapshot(), "b"), "https://two.test");
    }

    /// The name without its version, a sandbox, and a blueprint that no entry names.
    #[test]
    fn what_is_first_asked_for_later_is_of_the_same_time() {
        let (project, catalog) = Project::new(&entries("https://one.test"));
        let write = |time: &str| {
            let post =
                format!("action: post\nblueprint: acme:v0\nsteps: [{{id: a, get: /{time}}}]\n");
            project.write("actions/acme/post.v0.yaml", &post);
            let lone = ACME.replace("acme", "lone").replace("api.lone", time);
            project.write("blueprints/lone/v0.yaml", &lone);
        };
        write("one");
        project.write("blueprints/acme/v0.sandbox.yaml", "sandbox: acme:v0\nroutes: []\n");
        assert!(catalog.reload().taken);
        write("two");
        project.write("blueprints/acme/v0.sandbox.yaml", "sandbox: [");
        let snapshot = catalog.snapshot();
        let a = snapshot.integration("a").unwrap();
        let post = a.action("post").unwrap();
        assert_eq!(post.action.steps[0].path.as_text(), Some("/one"));
        assert!(a.sandbox().is_ok_and(|played| played.blueprint.sandbox.is_some()));
        assert_eq!(base_url(&snapshot, "lone"), "https://one.test");
    }

    #[test]
    fn a_file_that_is_gone_is_not_an_empty_one() {
        let (project, catalog) = Project::new(&entries("https://one.test"));
        assert!(catalog.reload().taken);
        fs::remove_file(project.0.path().join("integrations.yaml")).unwrap();
        let gone = catalog.reload();
        assert_eq!((gone.taken, broken(&gone)), (false, vec![("integrations.yaml", true)]));
        assert_eq!(base_url(&catalog.snapshot(), "a"), "https://one.test");
        let link = project.0.path().join("integrations.yaml");
        std::os::unix::fs::symlink("nowhere.yaml", link).unwrap();
        assert!(!catalog.reload().taken);
    }

    /// Each reading is of one piece, whoever replaces it meanwhile, and whatever memory it lies in.
    #[test]
    fn a_reader_never_sees_two_readings_at_once() {
        let (project, catalog) = Project::new(&entries("https://0.test"));
        assert!(catalog.reload().taken);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) {
                        let snapshot = catalog.snapshot();
                        assert_eq!(base_url(&snapshot, "a"), base_url(&snapshot, "b"));
                        let action = snapshot.integration("b").unwrap().action("list").unwrap();
                        assert_eq!(action.action.name, "list");
                    }
                });
            }
            for round in 1..100 {
                project.write("integrations.yaml", &entries(&format!("https://{round}.test")));
                assert!(catalog.reload().taken);
                assert_eq!(base_url(&catalog.snapshot(), "a"), format!("https://{round}.test"));
            }
            ended.store(true, Ordering::Relaxed);
        });
    }
}
