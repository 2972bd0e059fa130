//! `engine init`: a starter project. What exists is left alone.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    cli::{
        context::Cx,
        report::Exit,
        terminal::{FAINT, STRONG, styled},
    },
    error::Error,
};

/// Path and text of each file.
const FILES: [(&str, &str); 4] = [
    ("integrations.yaml", include_str!("starter/integrations.yaml")),
    ("actions/ms-teams/list-teams.yaml", include_str!("starter/list-teams.yaml")),
    (".gitignore", include_str!("starter/gitignore")),
    ("README.md", include_str!("starter/README.md")),
];

/// What to try next.
const NEXT: [&str; 4] =
    ["engine check", "engine test", "engine run ms-teams list-teams --sandbox", "engine list"];

/// Writes the files that are not there yet, and says what to do next.
pub fn init(cx: &Cx, folder: &Path) -> Result<Exit, Error> {
    // Without the `.` that stands for the folder we are in.
    let target: PathBuf = cx.here.join(folder).components().collect();
    let mut rows = Vec::new();
    for (name, text) in FILES {
        let written = write(&target.join(name), text)?;
        rows.push((name, if written { "written" } else { "kept" }));
    }
    if cx.for_programs() {
        let file = |(name, state): &(&str, &str)| json!({"file": name, "state": state});
        cx.print(&json!({
            "folder": target.display().to_string(),
            "files": rows.iter().map(file).collect::<Value>(),
        }));
        return Ok(Exit::Done);
    }
    let file =
        |(name, state): (&str, &str)| format!("{} {name}", styled(FAINT, &format!("{state:>8}")));
    let mut lines: Vec<String> = rows.into_iter().map(file).collect();
    lines.extend([String::new(), styled(STRONG, "Next:")]);
    if folder != Path::new(".") {
        lines.push(format!("  cd {}", folder.display()));
    }
    lines.extend(NEXT.map(|step| format!("  {step}")));
    cx.terminal.out(&(lines.join("\n") + "\n"));
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
