//! Which files there are: in the project, and compiled in. Found by listing folders, never by
//! joining what a caller says to a path (threat T46).

use std::{
    collections::BTreeMap,
    fs::{self, FileType},
    io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{
    catalog::error::Error,
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

/// The folders below `blueprints` or `actions`, by name.
pub type Folders = BTreeMap<String, Folder>;

/// A folder below `blueprints` or `actions`; what is in it is listed when it is first asked for.
#[derive(Debug, Default)]
pub struct Folder {
    /// Of the project, if it has one of that name.
    own: Option<(PathBuf, Way)>,
    listed: OnceLock<Listed>,
}

/// What is in a folder.
#[derive(Debug, Default)]
pub struct Listed {
    /// In order.
    pub files: Vec<Entry>,
    /// YAML files of the project without a name by which they could be found.
    pub lost: Vec<String>,
}

/// Shipped files below `top`: folder, stem, file.
fn shipped(top: Top) -> impl Iterator<Item = (&'static str, &'static str, &'static Shipped)> {
    SHIPPED.iter().filter_map(move |file| {
        let below = file.0.strip_prefix(top.as_str())?.strip_prefix('/')?;
        let (folder, name) = below.split_once('/')?;
        Some((folder, name.strip_suffix(".yaml")?, file))
    })
}

/// The folders below `top`: those of the project, and those of the shipped files.
pub fn folders(root: Option<&Path>, top: Top) -> Result<Folders, Error> {
    let shipped = shipped(top).map(|(folder, ..)| (folder.to_owned(), Folder::default()));
    let mut all: Folders = shipped.collect();
    let Some(path) = root.map(|root| root.join(top.as_str())) else { return Ok(all) };
    let linked = path.is_symlink();
    for Child { name, path, kind } in children(&path, top.as_str())? {
        let straight = !linked && kind.is_some_and(|kind| kind.is_dir());
        if BlueprintName::fits(&name) {
            let way = if straight { Way::Straight } else { Way::Unknown };
            all.entry(name).or_default().own = Some((path, way));
        }
    }
    Ok(all)
}

/// What is in a folder; kept, unless it cannot be listed just now.
pub fn listed<'f>(top: Top, name: &str, folder: &'f Folder) -> Result<&'f Listed, Error> {
    if let Some(listed) = folder.listed.get() {
        return Ok(listed);
    }
    let listed = list(top, name, folder)?;
    Ok(folder.listed.get_or_init(|| listed))
}

/// YAML files and folders of the project right below `top` that have no name by which they could
/// be found: paths below the project.
pub fn strays(root: &Path, top: Top) -> Result<Vec<String>, Error> {
    let stray = |child: &Child| {
        let fits = BlueprintName::fits(&child.name);
        is_yaml(&child.name) || (!fits && child.path.is_dir())
    };
    let all = children(&root.join(top.as_str()), top.as_str())?.into_iter();
    Ok(all.filter(stray).map(|child| format!("{}/{}", top.as_str(), child.name)).collect())
}

fn list(top: Top, name: &str, folder: &Folder) -> Result<Listed, Error> {
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
        for child in children(path, &format!("{}/{name}", top.as_str()))? {
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
    Ok(Listed { files: found.into_values().collect(), lost })
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

/// What is in a folder of the project; nothing, if there is no such folder.
fn children(folder: &Path, shown: &str) -> Result<Vec<Child>, Error> {
    let failed =
        |error: io::Error| Error::Unreadable { file: shown.to_owned(), reason: error.to_string() };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A file of that name is none of ours.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().ok();
        let named = entry.file_name().into_string();
        found.extend(named.ok().map(|name| Child { name, path: entry.path(), kind }));
    }
    Ok(found)
}
