//! Where the files are: in the project, and compiled in. Found by listing folders, never by joining
//! what a caller says to a path (threat T46).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::{
    catalog::{error::Error, tree::Node, yaml},
    diagnostic::Diagnostics,
    model::name,
};

/// Shipped files: path, text, and the text without what a run never reads.
const SHIPPED: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Path, text, text of a run.
pub type Shipped = (&'static str, &'static str, &'static str);

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
    /// In the project: its path, and the path below the project.
    Project(PathBuf, String),
}

impl Location {
    /// As people see it.
    pub fn shown(&self) -> String {
        match self {
            Self::Shipped((path, ..)) => format!("built-in:{path}"),
            Self::Project(_, shown) => shown.clone(),
        }
    }

    /// Whether it is the user's.
    pub fn is_project(&self) -> bool {
        matches!(self, Self::Project(..))
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
    /// The text of the shipped file of the same name, which this one of the project hides.
    hides: Option<&'static str>,
}

impl Entry {
    /// Whether it changes what a shipped file says. The repository's own files are the shipped
    /// ones and change nothing.
    pub fn shadows(&self) -> bool {
        match (&self.location, self.hides) {
            (Location::Project(path, _), Some(text)) => {
                fs::read_to_string(path).map_or(true, |found| found != text)
            }
            (Location::Project(..), None) | (Location::Shipped(..), _) => false,
        }
    }
}

/// A folder below `blueprints` or `actions`; what is in it is listed when it is first asked for.
#[derive(Debug, Default)]
struct Folder {
    /// Of the project, if it has one of that name.
    path: Option<PathBuf>,
    files: OnceLock<Vec<Entry>>,
}

/// The files of a project over the shipped ones. Making it reads nothing, and each folder is
/// listed once.
#[derive(Debug, Default)]
pub struct Files {
    root: Option<PathBuf>,
    /// Only what runs read: of shipped files, not the tests, notes and sandbox.
    lean: bool,
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

    /// The same, as far as runs read them.
    pub fn lean(root: Option<PathBuf>) -> Self {
        Self { root, lean: true, ..Self::default() }
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
        match self.folders(top).get_key_value(name) {
            Some((name, folder)) => folder.files.get_or_init(|| listed(top, name, folder)),
            None => &[],
        }
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
        for (folder, path) in children(&root.join(top.as_str())) {
            let shown = format!("{}/{folder}", top.as_str());
            if is_yaml(&folder) || (path.is_dir() && !name::is_valid(&folder)) {
                found.push(shown);
                continue;
            }
            let below = children(&path).into_iter();
            let lost = below.filter(|(file, _)| is_yaml(file) && stem(file).is_none());
            found.extend(lost.map(|(file, _)| format!("{shown}/{file}")));
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
            let own = self.root.as_ref().map(|root| children(&root.join(top.as_str())));
            for (name, path) in own.into_iter().flatten().filter(|(name, _)| name::is_valid(name)) {
                all.entry(name).or_default().path = Some(path);
            }
            all
        })
    }

    /// Reads and parses a file.
    pub fn read(&self, location: &Location) -> Result<Arc<Node>, Error> {
        let bytes = match location {
            Location::Shipped((_, text, lean)) => {
                if self.lean {
                    lean.as_bytes().to_vec()
                } else {
                    text.as_bytes().to_vec()
                }
            }
            Location::Project(path, shown) => self.bytes(path, shown)?,
        };
        yaml::source(location.shown(), bytes)
            .and_then(|file| yaml::parse(&file))
            .map_err(Error::Invalid)
    }

    /// The bytes of a project file; links that lead out of the project are refused.
    fn bytes(&self, path: &Path, shown: &str) -> Result<Vec<u8>, Error> {
        let unreadable = |reason: String| Error::Unreadable { file: shown.to_owned(), reason };
        let real = path.canonicalize().map_err(|error| unreadable(error.to_string()))?;
        let home = self.home.get_or_init(|| self.root.as_ref()?.canonicalize().ok());
        if !home.as_ref().is_some_and(|home| real.starts_with(home)) {
            return Err(unreadable("it is a link that leads out of the project".to_owned()));
        }
        let size = fs::metadata(&real).map_err(|error| unreadable(error.to_string()))?.len();
        if size > yaml::MAX_FILE as u64 {
            let mut diagnostics = Diagnostics::default();
            let message = format!("`{shown}` is larger than 4 MB");
            diagnostics.error("file.too-large", message, None);
            return Err(Error::Invalid(diagnostics));
        }
        fs::read(&real).map_err(|error| unreadable(error.to_string()))
    }
}

/// Shipped files below `top`: folder, stem, file.
fn shipped(top: Top) -> impl Iterator<Item = (&'static str, &'static str, &'static Shipped)> {
    SHIPPED.iter().filter_map(move |file| {
        let below = file.0.strip_prefix(top.as_str())?.strip_prefix('/')?;
        let (folder, name) = below.split_once('/')?;
        Some((folder, name.strip_suffix(".yaml")?, file))
    })
}

fn listed(top: Top, name: &str, folder: &Folder) -> Vec<Entry> {
    let own = folder.path.as_ref().map(|path| children(path)).unwrap_or_default();
    let own = own.into_iter().filter_map(|(file, path)| Some((stem(&file)?.to_owned(), path)));
    let entry = |stem: String, location| {
        (stem.clone(), Entry { folder: name.to_owned(), stem, location, hides: None })
    };
    let mut found: BTreeMap<String, Entry> = own
        .map(|(stem, path)| {
            let shown = format!("{}/{name}/{stem}.yaml", top.as_str());
            entry(stem, Location::Project(path, shown))
        })
        .collect();
    for (_, stem, file) in shipped(top).filter(|(folder, ..)| *folder == name) {
        match found.get_mut(stem) {
            Some(own) => own.hides = Some(file.1),
            None => found.extend([entry(stem.to_owned(), Location::Shipped(file))]),
        }
    }
    found.into_values().collect()
}

/// The name of a file that can be found by it.
fn stem(file: &str) -> Option<&str> {
    file.strip_suffix(".yaml").filter(|stem| name::is_valid(stem))
}

fn is_yaml(file: &str) -> bool {
    let ending = Path::new(file).extension();
    ending.is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"))
}

fn children(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect()
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
    fn runs_read_the_same_but_for_the_asides() {
        let (whole, lean) = (Files::new(None), Files::lean(None));
        for entry in whole.all(Top::Blueprints).chain(whole.all(Top::Actions)) {
            let (all, some) =
                (whole.read(&entry.location).unwrap(), lean.read(&entry.location).unwrap());
            let asides = ["notes", "tests", "sandbox"];
            let kept = |tree: &Node| -> Vec<(String, String)> {
                let entries = tree.entries().iter();
                let entries = entries.filter(|(key, _)| !asides.contains(&&*key.name));
                entries
                    .map(|(key, node)| (key.name.to_string(), node.to_json().to_string()))
                    .collect()
            };
            assert_eq!(kept(&all), kept(&some), "{}", entry.location.shown());
            assert!(some.get("tests").is_none() && some.get("notes").is_none());
            assert_eq!(all.get("sandbox").is_some(), some.get("sandbox").is_some());
        }
    }

    #[test]
    fn a_project_file_hides_the_shipped_one_of_its_name() {
        let folder = project(&["blueprints/ms-teams/v0.yaml", "blueprints/ms-teams/v7.yaml"]);
        let files = files(&folder);
        let found = files.folder(Top::Blueprints, "ms-teams");
        let seen: Vec<_> = found.iter().map(|e| (e.location.shown(), e.shadows())).collect();
        assert_eq!(
            seen,
            [
                ("blueprints/ms-teams/v0.yaml".to_owned(), true),
                ("blueprints/ms-teams/v7.yaml".to_owned(), false)
            ]
        );
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
}
