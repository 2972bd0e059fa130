//! Where the files are: in the project, and compiled in. Found by listing folders, never by joining
//! what a caller says to a path (threat T46).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    catalog::{
        error::Error,
        tree::Node,
        yaml,
    },
    diagnostic::Diagnostics,
    model::name,
};

/// Shipped files: path and text.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Compiled in.
    BuiltIn(&'static str, &'static str),
    /// In the project: its path, and the path below the project.
    Project(PathBuf, String),
}

impl Location {
    /// As people see it.
    pub fn shown(&self) -> String {
        match self {
            Self::BuiltIn(path, _) => format!("built-in:{path}"),
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
    /// A project file hides a built-in one of the same name.
    pub shadows: bool,
}

/// The files below `top` (`blueprints` or `actions`), of one folder or of all, in order; where a
/// project file has the name of a built-in one, only the project's.
pub fn list(root: Option<&Path>, top: &str, folder: Option<&str>) -> Vec<Entry> {
    let mut found = root.map(|root| project(root, top, folder)).unwrap_or_default();
    for (path, text) in BUILT_IN {
        let mut parts = path.split('/');
        let (Some(first), Some(parent), Some(file)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let stem = file.trim_end_matches(".yaml");
        if first != top || folder.is_some_and(|folder| folder != parent) {
            continue;
        }
        match found.iter_mut().find(|entry| entry.folder == parent && entry.stem == stem) {
            Some(entry) => entry.shadows = entry.text_differs(text),
            None => found.push(Entry {
                folder: parent.to_owned(),
                stem: stem.to_owned(),
                location: Location::BuiltIn(path, text),
                shadows: false,
            }),
        }
    }
    found.sort_by(|a, b| (&a.folder, &a.stem).cmp(&(&b.folder, &b.stem)));
    found
}

impl Entry {
    /// The repository's own files are the built-in ones; they hide nothing.
    fn text_differs(&self, text: &str) -> bool {
        match &self.location {
            Location::Project(path, _) => fs::read_to_string(path).map_or(true, |found| found != text),
            Location::BuiltIn(..) => false,
        }
    }
}

fn project(root: &Path, top: &str, folder: Option<&str>) -> Vec<Entry> {
    let mut found = Vec::new();
    for (parent, path) in children(&root.join(top)) {
        if !name::is_valid(&parent) || folder.is_some_and(|folder| folder != parent) {
            continue;
        }
        for (file, path) in children(&path) {
            let Some(stem) = file.strip_suffix(".yaml").filter(|stem| name::is_valid(stem)) else { continue };
            found.push(Entry {
                folder: parent.clone(),
                stem: stem.to_owned(),
                location: Location::Project(path, format!("{top}/{parent}/{file}")),
                shadows: false,
            });
        }
    }
    found
}

fn children(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect()
}

/// Reads and parses a file.
pub fn read(root: Option<&Path>, location: &Location) -> Result<Arc<Node>, Error> {
    let bytes = match location {
        Location::BuiltIn(_, text) => text.as_bytes().to_vec(),
        Location::Project(path, shown) => bytes(root, path, shown)?,
    };
    yaml::source(location.shown(), bytes).and_then(|file| yaml::parse(&file)).map_err(Error::Invalid)
}

/// The bytes of a project file; links that lead out of the project are refused.
fn bytes(root: Option<&Path>, path: &Path, shown: &str) -> Result<Vec<u8>, Error> {
    let unreadable = |reason: String| Error::Unreadable { file: shown.to_owned(), reason };
    let real = path.canonicalize().map_err(|error| unreadable(error.to_string()))?;
    let home = root.map(Path::canonicalize).transpose().map_err(|error| unreadable(error.to_string()))?;
    if home.is_some_and(|home| !real.starts_with(home)) {
        return Err(unreadable("it is a link that leads out of the project".to_owned()));
    }
    let size = fs::metadata(&real).map_err(|error| unreadable(error.to_string()))?.len();
    if size > yaml::MAX_FILE as u64 {
        let mut diagnostics = Diagnostics::default();
        diagnostics.error("file.too-large", format!("`{shown}` is larger than 4 MB"), None);
        return Err(Error::Invalid(diagnostics));
    }
    fs::read(&real).map_err(|error| unreadable(error.to_string()))
}
