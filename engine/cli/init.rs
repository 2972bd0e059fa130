//! `engine init`: a starter project. What exists is left alone.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    cli::{
        console::Console,
        report::Exit,
        terminal::{FAINT, STRONG, styled},
    },
    error::Error,
    render::Text,
    view::{Starter, StarterFile},
};

static INTEGRATIONS: Text = Text::plain(include_str!("starter/integrations.yaml.hbs"));
static README: Text = Text::plain(include_str!("starter/README.md.hbs"));
/// Full of templates of the language; nothing in it varies.
const ACTION: &str = include_str!("starter/list-teams.yaml");
const GITIGNORE: &str = include_str!("starter/gitignore");

/// What to try next, and what it does.
const NEXT: [(&str, &str); 4] = [
    ("engine check", "every problem of every file"),
    ("engine test", "the tests that stand in the files"),
    ("engine run ms-teams list-teams --sandbox", "without an account"),
    ("engine list", "what there is"),
];

/// Path and text of each file, for a project of this name.
fn starter(project: &str) -> [(&'static str, String); 4] {
    let widest = NEXT.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let step = |(command, what): (&str, &str)| json!({"command": format!("{command:widest$}"), "what": what});
    let data = json!({"project": project, "next": NEXT.map(step)});
    [
        ("integrations.yaml", INTEGRATIONS.render(&data)),
        ("actions/ms-teams/list-teams.yaml", ACTION.to_owned()),
        (".gitignore", GITIGNORE.to_owned()),
        ("README.md", README.render(&data)),
    ]
}

/// Writes the files that are not there yet, and says what to do next.
pub fn init(console: &Console, folder: &Path) -> Result<Exit, Error> {
    // Without the `.` that stands for the folder we are in.
    let target: PathBuf = console.here.join(folder).components().collect();
    let mut files = Vec::new();
    let project = target.file_name().and_then(|name| name.to_str()).unwrap_or("this project");
    for (name, text) in starter(project) {
        let written = write(&target.join(name), &text)?;
        files.push(StarterFile { file: name, state: if written { "written" } else { "kept" } });
    }
    if console.for_programs() {
        console.show(&Starter { folder: target.display().to_string(), files });
        return Ok(Exit::Done);
    }
    let line = |StarterFile { file, state }: StarterFile| {
        format!("{} {file}", styled(FAINT, &format!("{state:>8}")))
    };
    let mut lines: Vec<String> = files.into_iter().map(line).collect();
    lines.extend([String::new(), styled(STRONG, "Next:")]);
    if folder != Path::new(".") {
        lines.push(format!("  cd {}", folder.display()));
    }
    lines.extend(NEXT.map(|(command, _)| format!("  {command}")));
    console.terminal.out(&(lines.join("\n") + "\n"));
    Ok(Exit::Done)
}

/// Writes a new file; whether there was none.
fn write(path: &Path, text: &str) -> Result<bool, Error> {
    let failed =
        |source| Error::Io { what: format!("`{}` cannot be written", path.display()), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_for_this_project() {
        let files = starter("Ann's APIs");
        let text = |name: &str| &files.iter().find(|(file, _)| *file == name).unwrap().1;
        assert!(text("README.md").starts_with("# Ann's APIs\n"));
        let line = "engine check                             # every problem of every file\n";
        assert!(text("README.md").contains(line), "{}", text("README.md"));
        assert!(text("integrations.yaml").starts_with("# What Ann's APIs uses."));
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert!(write(&path, "one").unwrap());
        assert!(!write(&path, "two").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        // A file where a folder has to be.
        assert!(write(&path.join("c"), "x").is_err());
    }
}
