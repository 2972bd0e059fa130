//! Where the files are: in the project, and compiled in. Found by listing folders, never by joining
//! what a caller says to a path (threat T46).

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, DirEntry, File, FileType},
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{
    catalog::{
        error::Error,
        yaml::{self, Parsed},
    },
    file,
    model::name::{ActionName, BlueprintName},
};

/// Shipped files.
const SHIPPED: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Path and text.
pub type Shipped = (&'static str, &'static str);

/// The two folders that hold one folder for each name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Top {
    /// `blueprints/<name>/vN.yaml`
    Blueprints,
    /// `actions/<blueprint>/<name>.yaml`
    Actions,
}

impl Top {
    /// As it stands in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blueprints => "blueprints",
            Self::Actions => "actions",
        }
    }
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Compiled in.
    Shipped(&'static Shipped),
    /// In the project: its path, the path below the project, and how one gets there.
    Project(PathBuf, String, Way),
}

/// What lies between the project folder and a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Folders and a file, as they were listed: nothing leads elsewhere.
    Straight,
    /// Perhaps a link, or what is no file at all.
    Unknown,
}

/// What the name of a sandbox's file has after the blueprint's version: `v0.sandbox.yaml`.
const SANDBOX: &str = ".sandbox";

impl Location {
    /// As people see it.
    pub fn shown(&self) -> String {
        match self {
            Self::Shipped((path, ..)) => format!("built-in:{path}"),
            Self::Project(_, shown, _) => shown.clone(),
        }
    }

    /// Whether it is the user's.
    pub fn is_project(&self) -> bool {
        matches!(self, Self::Project(..))
    }

    /// Whether it changes what the shipped file of its name says. The repository's own files are
    /// the shipped ones and change nothing.
    pub fn shadows(&self) -> bool {
        let Self::Project(path, shown, _) = self else { return false };
        let hidden = SHIPPED.iter().find(|(shipped, _)| shipped == shown);
        hidden
            .is_some_and(|(_, text)| fs::read_to_string(path).map_or(true, |found| found != *text))
    }
}

/// A file of a folder: `blueprints/<folder>/<stem>.yaml`.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The folder's name.
    pub folder: String,
    /// The file's name without `.yaml`.
    pub stem: String,
    /// Where it is.
    pub location: Location,
    /// The file of a blueprint's sandbox, which stands beside it: `<stem>.sandbox.yaml`.
    pub sandbox: Option<Location>,
}

impl Entry {
    /// Where its files are.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        [&self.location].into_iter().chain(&self.sandbox)
    }
}

/// A folder below `blueprints` or `actions`; what is in it is listed when it is first asked for.
#[derive(Debug, Default)]
struct Folder {
    /// Of the project, if it has one of that name.
    own: Option<(PathBuf, Way)>,
    listed: OnceLock<Listed>,
}

#[derive(Debug, Default)]
struct Listed {
    files: Vec<Entry>,
    /// YAML files of the project without a name by which they could be found.
    lost: Vec<String>,
}

/// The files of a project over the shipped ones. Making it reads nothing, and each folder is
/// listed once.
#[derive(Debug, Default)]
pub struct Files {
    root: Option<PathBuf>,
    /// The root with its links followed.
    home: OnceLock<Option<PathBuf>>,
    blueprints: OnceLock<BTreeMap<String, Folder>>,
    actions: OnceLock<BTreeMap<String, Folder>>,
}

impl Files {
    /// The files of a project folder, or the shipped ones alone.
    pub fn new(root: Option<PathBuf>) -> Self {
        Self { root, ..Self::default() }
    }

    /// The project folder.
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The folders below `top`, in order.
    pub fn names(&self, top: Top) -> impl Iterator<Item = &str> {
        self.folders(top).keys().map(String::as_str)
    }

    /// The files of one folder, in order; where a project file has the name of a shipped one, only
    /// the project's.
    pub fn folder(&self, top: Top, name: &str) -> &[Entry] {
        self.listed(top, name).map_or(&[], |listed| &listed.files)
    }

    fn listed(&self, top: Top, name: &str) -> Option<&Listed> {
        let (name, folder) = self.folders(top).get_key_value(name)?;
        Some(folder.listed.get_or_init(|| listed(top, name, folder)))
    }

    /// All files below `top`, in order.
    pub fn all(&self, top: Top) -> impl Iterator<Item = &Entry> {
        self.names(top).flat_map(move |name| self.folder(top, name))
    }

    /// YAML files of the project that have no name by which they could be found, and folders
    /// likewise: paths below the project.
    pub fn strays(&self, top: Top) -> Vec<String> {
        let Some(root) = &self.root else { return Vec::new() };
        let mut found = Vec::new();
        for Child { name, path, .. } in children(&root.join(top.as_str())) {
            let fits = BlueprintName::fits(&name);
            if fits {
                let lost = self.listed(top, &name).map_or(&[][..], |listed| &listed.lost);
                found.extend(lost.iter().map(|file| format!("{}/{name}/{file}", top.as_str())));
            }
            if is_yaml(&name) || (!fits && path.is_dir()) {
                found.push(format!("{}/{name}", top.as_str()));
            }
        }
        found.sort();
        found
    }

    fn folders(&self, top: Top) -> &BTreeMap<String, Folder> {
        let slot = match top {
            Top::Blueprints => &self.blueprints,
            Top::Actions => &self.actions,
        };
        slot.get_or_init(|| {
            let shipped = shipped(top).map(|(folder, ..)| (folder.to_owned(), Folder::default()));
            let mut all: BTreeMap<String, Folder> = shipped.collect();
            let Some(path) = self.root.as_ref().map(|root| root.join(top.as_str())) else {
                return all;
            };
            let linked = path.is_symlink();
            for Child { name, path, kind } in children(&path) {
                let straight = !linked && kind.is_some_and(|kind| kind.is_dir());
                if BlueprintName::fits(&name) {
                    let way = if straight { Way::Straight } else { Way::Unknown };
                    all.entry(name).or_default().own = Some((path, way));
                }
            }
            all
        })
    }

    /// Reads and parses a file.
    pub fn read(&self, location: &Location) -> Result<Parsed, Error> {
        let bytes = match location {
            Location::Shipped((_, text)) => text.as_bytes().to_vec(),
            Location::Project(path, shown, way) => self.bytes(path, shown, *way)?,
        };
        parse(location, bytes)
    }

    /// The same for runs: the `tests` of shipped files, which are longer than all else in them, are
    /// not looked at.
    pub fn read_untested(&self, location: &Location) -> Result<Parsed, Error> {
        match location {
            Location::Shipped((_, text)) => parse(location, untested(text)),
            Location::Project(..) => self.read(location),
        }
    }

    /// The bytes of a project file; links that lead out of the project are refused.
    fn bytes(&self, path: &Path, shown: &str, way: Way) -> Result<Vec<u8>, Error> {
        let unreadable = |reason: String| Error::Unreadable { file: shown.to_owned(), reason };
        let failed = |error: io::Error| unreadable(error.to_string());
        let real = match way {
            Way::Straight => Cow::Borrowed(path),
            Way::Unknown => {
                let real = path.canonicalize().map_err(failed)?;
                let home = self.home.get_or_init(|| self.root.as_ref()?.canonicalize().ok());
                if !home.as_ref().is_some_and(|home| real.starts_with(home)) {
                    let reason = "it is a link that leads out of the project";
                    return Err(unreadable(reason.to_owned()));
                }
                file::regular(&real.metadata().map_err(failed)?).map_err(failed)?;
                Cow::Owned(real)
            }
        };
        // One that was listed as a file is not looked at a second time.
        File::open(&real).and_then(|file| file::read(file, yaml::MAX_FILE)).map_err(failed)
    }
}

fn parse(location: &Location, bytes: Vec<u8>) -> Result<Parsed, Error> {
    yaml::source(location.shown(), bytes)
        .and_then(|file| yaml::parse(&file))
        .map_err(Error::Invalid)
}

/// A shipped file without its `tests`, line numbers kept. They are written in blocks, so that a
/// top-level key stands at the beginning of a line; a test compares both forms of each.
fn untested(text: &str) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut tests = false;
    for line in text.split_inclusive('\n') {
        if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            tests = line.starts_with("tests:");
        }
        kept.extend_from_slice(if tests { b"\n" } else { line.as_bytes() });
    }
    kept
}

/// Shipped files below `top`: folder, stem, file.
fn shipped(top: Top) -> impl Iterator<Item = (&'static str, &'static str, &'static Shipped)> {
    SHIPPED.iter().filter_map(move |file| {
        let below = file.0.strip_prefix(top.as_str())?.strip_prefix('/')?;
        let (folder, name) = below.split_once('/')?;
        Some((folder, name.strip_suffix(".yaml")?, file))
    })
}

fn listed(top: Top, name: &str, folder: &Folder) -> Listed {
    let mut lost = Vec::new();
    let mut found: BTreeMap<String, Entry> = BTreeMap::new();
    let mut sandboxes: BTreeMap<String, Location> = BTreeMap::new();
    let mut insert = |stem: &str, location| match stem.strip_suffix(SANDBOX) {
        Some(of) if top == Top::Blueprints => {
            sandboxes.insert(of.to_owned(), location);
        }
        Some(_) | None => {
            let (folder, stem) = (name.to_owned(), stem.to_owned());
            found.insert(stem.clone(), Entry { folder, stem, location, sandbox: None });
        }
    };
    for (_, stem, file) in shipped(top).filter(|(folder, ..)| *folder == name) {
        insert(stem, Location::Shipped(file));
    }
    if let Some((path, way)) = &folder.own {
        for child in children(path) {
            let file = child.kind.is_some_and(|kind| kind.is_file());
            let way = if file { *way } else { Way::Unknown };
            match stem(&child.name) {
                Some(stem) => {
                    let shown = format!("{}/{name}/{}", top.as_str(), child.name);
                    insert(stem, Location::Project(child.path, shown, way));
                }
                None if is_yaml(&child.name) => lost.push(child.name),
                None => {}
            }
        }
    }
    for (stem, location) in sandboxes {
        match found.get_mut(&stem) {
            Some(blueprint) => blueprint.sandbox = Some(location),
            None => lost.push(format!("{stem}{SANDBOX}.yaml")),
        }
    }
    Listed { files: found.into_values().collect(), lost }
}

/// The name of a file that can be found by it.
fn stem(file: &str) -> Option<&str> {
    file.strip_suffix(".yaml").filter(|stem| ActionName::fits(stem))
}

fn is_yaml(file: &str) -> bool {
    let ending = Path::new(file).extension();
    ending.is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"))
}

/// What a folder holds.
struct Child {
    name: String,
    path: PathBuf,
    /// Of itself, if it is a link.
    kind: Option<FileType>,
}

fn children(folder: &Path) -> Vec<Child> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let child = |entry: DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        Some(Child { name, path: entry.path(), kind: entry.file_type().ok() })
    };
    entries.flatten().filter_map(child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "a: 1\n").unwrap();
        }
        folder
    }

    fn files(folder: &tempfile::TempDir) -> Files {
        Files::new(Some(folder.path().to_owned()))
    }

    #[test]
    fn shipped_files_are_there_without_a_project() {
        let files = Files::new(None);
        let shown: Vec<String> =
            files.folder(Top::Blueprints, "ms-teams").iter().map(|e| e.location.shown()).collect();
        assert_eq!(shown, ["built-in:blueprints/ms-teams/v0.yaml"]);
        assert!(files.all(Top::Actions).count() > 1);
    }

    #[test]
    fn runs_read_all_of_shipped_files_but_their_tests() {
        let files = Files::new(None);
        let mut tested = 0;
        for entry in files.all(Top::Blueprints).chain(files.all(Top::Actions)) {
            let shown = entry.location.shown();
            let whole = files.read(&entry.location).unwrap().tree;
            let left = files.read_untested(&entry.location).unwrap().tree;
            tested += usize::from(whole.get("tests").is_some());
            assert!(left.get("tests").is_none(), "{shown}");
            let whole = whole.without(&["tests"]);
            assert_eq!(whole.to_json(), left.to_json(), "{shown}");
            for ((key, _), (other, _)) in whole.entries().iter().zip(left.entries()) {
                assert_eq!(key.place.to_string(), other.place.to_string());
            }
        }
        assert!(tested > 20, "{tested} files have tests");
    }

    #[test]
    fn a_project_file_hides_the_shipped_one_of_its_name() {
        let folder = project(&["blueprints/ms-teams/v0.yaml", "blueprints/ms-teams/v7.yaml"]);
        let files = files(&folder);
        let found = files.folder(Top::Blueprints, "ms-teams");
        let seen: Vec<_> =
            found.iter().map(|e| (e.location.shown(), e.location.shadows())).collect();
        assert_eq!(
            seen,
            [
                ("blueprints/ms-teams/v0.yaml".to_owned(), true),
                ("blueprints/ms-teams/v7.yaml".to_owned(), false)
            ]
        );
    }

    #[test]
    fn a_sandbox_stands_beside_its_blueprint() {
        let folder = project(&[
            "blueprints/acme/v0.yaml",
            "blueprints/acme/v0.sandbox.yaml",
            "blueprints/acme/v1.yaml",
            "blueprints/acme/v2.sandbox.yaml",
            "blueprints/slack/v0.sandbox.yaml",
            "actions/acme/a.sandbox.yaml",
        ]);
        let files = files(&folder);
        let seen = |top, name| -> Vec<_> {
            let entries = files.folder(top, name).iter();
            entries.map(|e| e.locations().map(Location::shown).collect::<Vec<_>>()).collect()
        };
        assert_eq!(
            seen(Top::Blueprints, "acme"),
            [
                vec!["blueprints/acme/v0.yaml", "blueprints/acme/v0.sandbox.yaml"],
                vec!["blueprints/acme/v1.yaml"],
            ]
        );
        let own = vec!["built-in:blueprints/slack/v0.yaml", "blueprints/slack/v0.sandbox.yaml"];
        assert_eq!(seen(Top::Blueprints, "slack"), [own]);
        assert_eq!(seen(Top::Actions, "acme"), [["actions/acme/a.sandbox.yaml"]]);
        assert_eq!(files.strays(Top::Blueprints), ["blueprints/acme/v2.sandbox.yaml"]);
    }

    #[test]
    fn files_that_no_name_finds_are_strays() {
        let folder = project(&[
            "blueprints/acme/v0.yml",
            "blueprints/acme/notes.txt",
            "blueprints/Acme/v0.yaml",
            "blueprints/acme.yaml",
            "blueprints/acme/v1.yaml",
        ]);
        let files = files(&folder);
        assert_eq!(
            files.strays(Top::Blueprints),
            ["blueprints/Acme", "blueprints/acme.yaml", "blueprints/acme/v0.yml"]
        );
        assert_eq!(files.folder(Top::Blueprints, "acme").len(), 1);
        assert!(files.folder(Top::Blueprints, "../acme").is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_project_are_refused() {
        let (inside, outside) = (project(&["blueprints/a/v1.yaml"]), project(&["v0.yaml"]));
        let link = inside.path().join("blueprints/a/v0.yaml");
        std::os::unix::fs::symlink(outside.path().join("v0.yaml"), link).unwrap();
        let links = inside.path().join("blueprints/b");
        std::os::unix::fs::symlink(outside.path(), links).unwrap();
        let files = files(&inside);
        for entry in files
            .folder(Top::Blueprints, "a")
            .iter()
            .take(1)
            .chain(files.folder(Top::Blueprints, "b"))
        {
            let error = files.read(&entry.location).unwrap_err().to_string();
            assert!(error.contains("leads out of the project"), "{error}");
        }
        assert!(files.read(&files.folder(Top::Blueprints, "a")[1].location).is_ok());
    }

    /// Reading one would wait for whoever writes to it, perhaps for ever.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_opened() {
        let folder = project(&["blueprints/a/v0.yaml"]);
        let socket = folder.path().join("blueprints/a/v1.yaml");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        fs::create_dir(folder.path().join("blueprints/a/v2.yaml")).unwrap();
        let files = files(&folder);
        for entry in files.folder(Top::Blueprints, "a").iter().skip(1) {
            let error = files.read(&entry.location).unwrap_err().to_string();
            assert!(error.ends_with(", not a file"), "{error}");
        }
    }
}
