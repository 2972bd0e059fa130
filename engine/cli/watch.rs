//! `--watch`: does a command again whenever the project's files change.

use std::{path::Path, process::Command, sync::mpsc, time::Duration};

use notify::{EventKind, RecursiveMode, Watcher, recommended_watcher};

use crate::{
    cli::{
        console::Console,
        report::Exit,
        terminal::{FAINT, styled},
    },
    engine::Engine,
    error::{CallCode, Error},
};

/// Editors write in several steps: what comes within this time is one change.
const SETTLE: Duration = Duration::from_millis(150);

/// Runs this program again and again with the same arguments, but for `--watch`, so that nothing is kept
/// between rounds. Ends with a signal.
pub fn watch(console: &Console, engine: &Engine) -> Result<Exit, Error> {
    let Some(root) = engine.project() else {
        return Err(Error::call(
            CallCode::NoProject,
            "there is no project to watch",
            "name its folder with `-C DIR`, or make one with `engine init`",
        ));
    };
    let broken = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Io { what, source }
    };
    let (send, changes) = mpsc::channel();
    let unwatched = |error: notify::Error| Error::Io {
        what: "the project's files cannot be watched".to_owned(),
        source: std::io::Error::other(error),
    };
    let mut watcher = recommended_watcher(move |event: notify::Result<notify::Event>| {
        // On Linux reading is reported as well, which is not a change.
        if event.is_ok_and(|event| {
            !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|p| concerns(p))
        }) {
            let _ended = send.send(());
        }
    })
    .map_err(unwatched)?;
    watcher.watch(root, RecursiveMode::Recursive).map_err(unwatched)?;
    let program = std::env::current_exe().map_err(broken("this program cannot be found"))?;
    let words: Vec<_> = std::env::args_os().skip(1).filter(|word| word != "--watch").collect();
    loop {
        Command::new(&program)
            .args(&words)
            .status()
            .map_err(broken("this program cannot be run"))?;
        console.terminal.err(&format!("{}\n", styled(FAINT, "watching; Ctrl-C ends")));
        if changes.recv().is_err() {
            return Ok(Exit::Done);
        }
        while changes.recv_timeout(SETTLE).is_ok() {}
    }
}

/// Whether a file can matter: the store and the like change all the time.
fn concerns(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    yaml || path.file_name().is_some_and(|name| name == ".env")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_project_count() {
        for (path, counts) in [
            ("/p/integrations.yaml", true),
            ("/p/.env", true),
            ("/p/blueprints/a/v0.yaml", true),
            ("/p/.engine/engine.db-wal", false),
            ("/p/notes.txt", false),
        ] {
            assert_eq!(concerns(Path::new(path)), counts, "{path}");
        }
    }
}
