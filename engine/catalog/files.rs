//! The files, read: those of the project, and those compiled in.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{
    catalog::{
        error::Error,
        listing::{self, Entry, Folders, Listed, Location, Top, Way},
        yaml::{self, Parsed},
    },
    file,
};

/// Largest file that `${file:…}` includes, in bytes.
const MAX_INCLUDED: usize = 256 * 1024;

/// The files of a project over the shipped ones. Making it reads nothing, and each folder is
/// listed once.
#[derive(Debug, Default)]
pub struct Files {
    root: Option<PathBuf>,
    /// The root with its links followed.
    home: OnceLock<Option<PathBuf>>,
    blueprints: OnceLock<Folders>,
    actions: OnceLock<Folders>,
    /// What the project's files say, by path, once all of them were read.
    texts: OnceLock<HashMap<String, Vec<u8>>>,
    /// What `${file:…}` has included so far.
    included: Mutex<BTreeMap<String, String>>,
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

    /// Reads all files of the project now, so that what is asked for later is of this time. One
    /// that cannot be read is tried again when it is asked for.
    pub fn hold(&self) {
        let mut texts = HashMap::new();
        for top in [Top::Blueprints, Top::Actions] {
            for location in self.all(top).into_iter().flatten().flat_map(Entry::locations) {
                let Location::Project(path, shown, way) = location else { continue };
                if let Ok(bytes) = self.bytes(path, shown, *way) {
                    texts.insert(shown.clone(), bytes);
                }
            }
        }
        drop(self.texts.set(texts));
    }

    /// The folders below `top`, in order.
    pub fn names(&self, top: Top) -> Result<impl Iterator<Item = &str>, Error> {
        Ok(self.folders(top)?.keys().map(String::as_str))
    }

    /// The files of one folder, in order; where a project file has the name of a shipped one, only
    /// the project's.
    pub fn folder(&self, top: Top, name: &str) -> Result<&[Entry], Error> {
        Ok(self.listed(top, name)?.map_or(&[], |listed| &listed.files))
    }

    fn listed(&self, top: Top, name: &str) -> Result<Option<&Listed>, Error> {
        let Some((name, folder)) = self.folders(top)?.get_key_value(name) else { return Ok(None) };
        listing::listed(top, name, folder).map(Some)
    }

    /// All files below `top`, in order.
    pub fn all(&self, top: Top) -> Result<Vec<&Entry>, Error> {
        let mut all = Vec::new();
        for name in self.names(top)? {
            all.extend(self.folder(top, name)?);
        }
        Ok(all)
    }

    /// YAML files of the project that have no name by which they could be found, and folders
    /// likewise: paths below the project.
    pub fn strays(&self, top: Top) -> Result<Vec<String>, Error> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let mut found = listing::strays(root, top)?;
        for name in self.names(top)? {
            let lost = self.listed(top, name)?.map_or(&[][..], |listed| &listed.lost);
            found.extend(lost.iter().map(|file| format!("{}/{name}/{file}", top.as_str())));
        }
        found.sort();
        Ok(found)
    }

    /// Kept, unless it cannot be listed just now.
    fn folders(&self, top: Top) -> Result<&Folders, Error> {
        let slot = match top {
            Top::Blueprints => &self.blueprints,
            Top::Actions => &self.actions,
        };
        if let Some(folders) = slot.get() {
            return Ok(folders);
        }
        let folders = listing::folders(self.root(), top)?;
        Ok(slot.get_or_init(|| folders))
    }

    /// Reads and parses a file.
    pub fn read(&self, location: &Location) -> Result<Parsed, Error> {
        let bytes = match location {
            Location::Shipped((_, text)) => text.as_bytes().to_vec(),
            Location::Project(path, shown, way) => {
                match self.texts.get().and_then(|texts| texts.get(shown)) {
                    Some(bytes) => bytes.clone(),
                    None => self.bytes(path, shown, *way)?,
                }
            }
        };
        parse(location, bytes)
    }

    /// The text of a file that an entry includes, without one line break at its end, as it was when
    /// it was first asked for. `Err` says why there is none.
    pub fn included(&self, path: &str) -> Result<String, String> {
        let included = || self.included.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = included().get(path) {
            return Ok(text.clone());
        }
        let whole = self.root().map_or_else(|| PathBuf::from(path), |root| root.join(path));
        let read = file::open(&whole).and_then(|file| file::read(file, MAX_INCLUDED));
        let bytes = read.map_err(|error| error.to_string())?;
        if bytes.len() > MAX_INCLUDED {
            return Err(format!("it is larger than {} KB", MAX_INCLUDED / 1024));
        }
        let mut text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(included().entry(path.to_owned()).or_insert(text).clone())
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

#[cfg(test)]
mod tests {
    use std::fs;

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
        let shown: Vec<String> = files
            .folder(Top::Blueprints, "ms-teams")
            .unwrap()
            .iter()
            .map(|e| e.location.shown())
            .collect();
        assert_eq!(shown, ["built-in:blueprints/ms-teams/v0.yaml"]);
        assert!(files.all(Top::Actions).unwrap().len() > 1);
    }

    #[test]
    fn runs_read_all_of_shipped_files_but_their_tests() {
        let files = Files::new(None);
        let mut tested = 0;
        let all = [Top::Blueprints, Top::Actions].map(|top| files.all(top).unwrap());
        for entry in all.into_iter().flatten() {
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
        let found = files.folder(Top::Blueprints, "ms-teams").unwrap();
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
            let entries = files.folder(top, name).unwrap().iter();
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
        assert_eq!(files.strays(Top::Blueprints).unwrap(), ["blueprints/acme/v2.sandbox.yaml"]);
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
            files.strays(Top::Blueprints).unwrap(),
            ["blueprints/Acme", "blueprints/acme.yaml", "blueprints/acme/v0.yml"]
        );
        assert_eq!(files.folder(Top::Blueprints, "acme").unwrap().len(), 1);
        assert!(files.folder(Top::Blueprints, "../acme").unwrap().is_empty());
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
        let [a, b] = ["a", "b"].map(|name| files.folder(Top::Blueprints, name).unwrap());
        for entry in a.iter().take(1).chain(b) {
            let error = files.read(&entry.location).unwrap_err().to_string();
            assert!(error.contains("leads out of the project"), "{error}");
        }
        assert!(files.read(&a[1].location).is_ok());
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
        for entry in files.folder(Top::Blueprints, "a").unwrap().iter().skip(1) {
            let error = files.read(&entry.location).unwrap_err().to_string();
            assert!(error.ends_with(", not a file"), "{error}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_not_an_empty_one() {
        let folder = project(&["blueprints/a/v0.yaml"]);
        let link = folder.path().join("actions");
        std::os::unix::fs::symlink("actions", &link).unwrap();
        let files = files(&folder);
        let fault = || files.all(Top::Actions).map(|all| all.len()).unwrap_err().to_string();
        assert!(fault().starts_with("`actions` cannot be read"), "{}", fault());
        // It was a passing one.
        fs::remove_file(link).unwrap();
        assert!(files.all(Top::Actions).is_ok_and(|all| all.len() > 1));
    }

    #[test]
    fn what_is_held_is_of_the_time_when_it_was_read() {
        let folder = project(&["blueprints/a/v0.yaml", "blueprints/a/v0.sandbox.yaml", "key"]);
        let files = files(&folder);
        files.hold();
        assert_eq!(files.included("key").unwrap(), "a: 1");
        for path in ["blueprints/a/v0.yaml", "blueprints/a/v0.sandbox.yaml", "key"] {
            fs::write(folder.path().join(path), "a: 2\n").unwrap();
        }
        let entry = files.folder(Top::Blueprints, "a").unwrap().first().unwrap();
        for location in entry.locations() {
            let tree = files.read(location).unwrap().tree;
            assert_eq!(tree.to_json().to_string(), r#"{"a":1}"#, "{location:?}");
        }
        assert_eq!(files.included("key").unwrap(), "a: 1");
    }

    #[test]
    fn included_files_lose_one_line_break_and_are_bounded() {
        let folder = project(&[]);
        fs::write(folder.path().join("key"), "secret\n\n").unwrap();
        fs::write(folder.path().join("big"), vec![b'x'; 300_000]).unwrap();
        let files = files(&folder);
        assert_eq!(files.included("key").unwrap(), "secret\n");
        assert_eq!(files.included("big").unwrap_err(), "it is larger than 256 KB");
        assert!(files.included("none").is_err());
    }
}
