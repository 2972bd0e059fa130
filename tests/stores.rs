//! A store that cannot be used says so in one line, and nothing is written to it.

use crate::support::project::Project;

fn project() -> Project {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    project
        .engine_with(&["connections", "add", "github", "--token-stdin"], "a-token-for-the-store")
        .ends(0);
    project
}

/// The exit code is that of the engine's own world, and the code of the error is this.
#[track_caller]
fn refused(project: &Project, args: &[&str], code: &str) {
    let mut all = args.to_vec();
    all.push("--output=json");
    let printed = project.engine(&all).ends(3);
    assert_eq!(printed.json()["error"]["code"], code, "{printed:?}");
    assert!(!printed.stderr.contains("panicked"), "{}", printed.stderr);
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let project = project();
    let path = project.path(".engine/engine.db");
    for name in ["engine.db-wal", "engine.db-shm"] {
        drop(std::fs::remove_file(project.path(&format!(".engine/{name}"))));
    }
    std::fs::write(&path, "this is no database, but it is somebody's file\n".repeat(100)).unwrap();
    let before = std::fs::read(&path).unwrap();
    refused(&project, &["connections", "list"], "store.corrupt");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn another_key_is_refused_before_anything_is_written() {
    let project = project();
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let mut command = project.command(&["connections", "list", "--output=json"]);
    let printed =
        crate::support::project::printed(command.env("ENGINE_KEY", key).spawn().unwrap()).ends(3);
    assert_eq!(printed.json()["error"]["code"], "store.wrong-key");
    std::fs::write(project.path("k"), "short").unwrap();
    refused(&project, &["connections", "list", "--key-file", "k"], "store.key");
    project.engine(&["connections", "list"]).ends(0);
}

#[test]
fn a_folder_in_its_place_is_no_store() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n"), ("db/x", "")]);
    refused(&project, &["connections", "list", "--store", "db"], "store.unusable");
}

#[cfg(unix)]
#[test]
fn files_are_private_from_the_first_moment() {
    use std::os::unix::fs::PermissionsExt;
    let project = project();
    for entry in std::fs::read_dir(project.path(".engine")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
    let folder = std::fs::metadata(project.path(".engine")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

#[test]
fn many_processes_may_create_it_at_once() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    let runs: Vec<_> = (0..8)
        .map(|_| {
            project.command(&["run", "ms-teams", "list-channels", "--sandbox"]).spawn().unwrap()
        })
        .collect();
    for run in runs {
        crate::support::project::printed(run).ends(0);
    }
    let logs = project.engine(&["logs", "--output=json"]).ends(0).json();
    assert_eq!(logs["runs"].as_array().unwrap().len(), 8);
}
