//! A store that cannot be used says so in one line, and nothing is written to it; a part of it that
//! is damaged harms itself alone; one of an earlier version is raised.

use std::sync::Arc;

use engine::{
    clock::SystemClock,
    store::{Opening, Sqlite},
    vault::KeySource,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::project::Project;

fn project() -> Project {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    project
        .engine_with(
            &["connections", "add", "github", "--no-verify", "--token-stdin"],
            "a-token-for-the-store",
        )
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

/// Three keys, of which the last one is damaged on disk.
fn damaged() -> Project {
    let project = Project::new(&[
        (
            "blueprints/keyed/v0.yaml",
            "blueprint: keyed:v0\ntitle: Keyed\nauth: {auth_mode: API_KEY}\nrequests: {base_url: 'https://k.test', headers: {x-key: '{{credentials.api_key}}'}}\n",
        ),
        ("integrations.yaml", "integrations: {keyed: {extends_blueprint: keyed:v0}}\n"),
    ]);
    for id in ["default", "two", "three"] {
        let add = ["connections", "add", "keyed", "--connection", id, "--token-stdin"];
        project.engine_with(&add, &format!("key-of-{id}")).ends(0);
    }
    let raw = Connection::open(project.path(".engine/engine.db")).unwrap();
    let flip = "UPDATE secrets SET sealed = CAST(substr(sealed, 1, length(sealed) - 1)
                || CASE substr(sealed, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)
        WHERE account = (SELECT number FROM accounts WHERE id = 'three')";
    assert_eq!(raw.execute(flip, []).unwrap(), 1);
    project
}

#[test]
fn a_damaged_row_harms_itself_alone() {
    let project = damaged();
    let list = project.engine(&["connections", "list"]).ends(0).json();
    let status = |list: &Value| -> Vec<(String, String)> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|row| (text(row, "id"), text(row, "status"))).collect()
    };
    let expected = [("default", "active"), ("three", "damaged"), ("two", "active")];
    assert_eq!(status(&list), expected.map(|(id, status)| (id.to_owned(), status.to_owned())));
    let three = ["keyed", "--connection", "three"];
    let shown = project.engine(&[&["connections", "show"], &three[..]].concat()).ends(0).json();
    assert_eq!(shown["status"], "damaged");
    let export = project.engine(&["connections", "export", "--with-secrets"]).ends(0);
    assert_eq!(export.stdout.lines().count(), 2);
    assert!(export.stdout.contains("key-of-two") && export.stderr.contains("`three` of `keyed`"));
    // Nothing is sent: the host does not exist.
    let used = project.engine(&["request", "keyed", "GET", "/me", "--wait", "1s"]);
    assert!(used.stdout.contains("provider_error"), "{used:?}");
    let broken =
        project.engine(&[&["request"], &three[..1], &["GET", "/me"], &three[1..]].concat());
    assert_eq!((broken.code, &broken.json()["error"]["code"]), (3, &json!("store.tampered")));
    project.engine(&["secrets", "rotate"]).ends(0);
    let add = [&["connections", "add"], &three[..], &["--token-stdin", "--replace"]].concat();
    project.engine_with(&add, "mended").ends(0);
    assert!(project.engine(&["connections", "export", "--with-secrets"]).stdout.contains("mended"));
    let project = damaged();
    project.engine(&[&["connections", "delete"], &three[..]].concat()).ends(0);
    let left = project.engine(&["connections", "list"]).ends(0).json();
    assert_eq!(left.as_array().unwrap().len(), 2);
}

#[test]
fn a_store_of_version_2_is_raised() {
    let project = Project::new(&[("integrations.yaml", "integrations: {}\n")]);
    std::fs::create_dir(project.path(".engine")).unwrap();
    for name in ["engine.db", "key"] {
        let made = format!("{}/tests/stores/v2/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(made, project.path(&format!(".engine/{name}"))).unwrap();
    }
    // One of its rows was damaged before.
    let raw = Connection::open(project.path(".engine/engine.db")).unwrap();
    let flip = "UPDATE connections SET credentials = substr(credentials, 1, 40)
        WHERE integration = 'keyed' AND id = 'second'";
    assert_eq!(raw.execute(flip, []).unwrap(), 1);
    drop(raw);
    let list = project.engine(&["connections", "list"]).ends(0).json();
    let rows: Vec<String> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!("{}/{} {}", row["integration"], row["id"], row["status"]).replace('"', "")
        })
        .collect();
    let expected = [
        "acme/default active",
        "acme/late active",
        "keyed/default active",
        "keyed/second damaged",
        "ms-teams/default active",
    ];
    assert_eq!(rows, expected);
    let show = ["connections", "show", "acme", "--connection"];
    let shown = project.engine(&[&show[..], &["default"]].concat()).ends(0).json();
    assert_eq!(shown["connection_config"], json!({"shop": "shoe"}));
    assert_eq!(shown["metadata"], json!({"team": "blue"}));
    assert_eq!(shown["scopes"], json!(["read", "write"]));
    assert_eq!(shown["created_at"], "2026-11-25T10:23:33.984Z");
    assert_eq!(shown["credentials"]["refresh_token"], "set");
    assert_eq!(shown["credentials"]["expires_at"], "2026-11-25T11:23:33.984Z");
    let late = project.engine(&[&show[..], &["late"]].concat()).ends(0).json();
    assert!(late["refresh_failure"].as_str().unwrap().contains("connection refused"));
    assert_eq!(late["failures"], 1);
    let export = project.engine(&["connections", "export", "--with-secrets"]).ends(0).stdout;
    for secret in ["at-default", "rt-default", "rt-late", "key-1"] {
        assert!(export.contains(secret), "{secret}");
    }
    let runs = project.engine(&["logs", "--output=json"]).ends(0).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    // The tokens that wait to be taken back count as sealed with the key of their time.
    let keys = project.engine(&["secrets", "status"]).ends(0).json();
    assert_eq!(keys[0]["values"], 6);
    let left =
        project.engine(&["connections", "delete", "keyed", "--connection", "second"]).ends(0);
    // No file names the vendor of what waited: it can never be asked, and nothing waits any more.
    assert_eq!(left.json()["pending_revocations"], 0);
}

#[test]
fn a_store_is_one_environment() {
    let project = project();
    refused(
        &project,
        &["connections", "list", "--environment", "production"],
        "store.other-environment",
    );
    project.engine(&["connections", "list", "--environment", "default"]).ends(0);
    let other = ["connections", "list", "--store", "other.db", "--environment", "production"];
    project.engine(&other).ends(0);
    refused(&project, &["connections", "list", "--store", "other.db"], "store.other-environment");
}

#[test]
fn ids_are_what_operators_have() {
    let project = project();
    let odd = "{ \" ' \\ } [~|] ; , . = + : $ _ -";
    let ids = ["User@x.com", "a b", "auth0|123", "../../etc/passwd", odd];
    for id in ids {
        let add =
            ["connections", "add", "github", "--no-verify", "--token-stdin", "--connection", id];
        project.engine_with(&add, &format!("token of {id}")).ends(0);
        let show = ["connections", "show", "github", "--connection", id];
        assert_eq!(project.engine(&show).ends(0).json()["id"], id);
    }
    let export = project.engine(&["connections", "export", "--with-secrets"]).ends(0).stdout;
    for id in ids {
        project.engine(&["connections", "delete", "github", "--connection", id]).ends(0);
    }
    project.engine_with(&["connections", "import", "--replace"], &export).ends(0);
    assert_eq!(project.engine(&["connections", "export", "--with-secrets"]).ends(0).stdout, export);
    for id in ["", "é", "a%b", "a*", &"x".repeat(256)] {
        let add =
            ["connections", "add", "github", "--no-verify", "--token-stdin", "--connection", id];
        assert_eq!(project.engine_with(&add, "t").code, 2, "{id}");
    }
    for entry in std::fs::read_dir(project.path(".engine")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let ours = ["key", ".gitignore"].contains(&name.as_str()) || name.starts_with("engine.db");
        assert!(ours, "{name}");
    }
}

#[test]
fn rotations_at_once_lose_no_key() {
    let project = project();
    for id in ["two", "three"] {
        let add =
            ["connections", "add", "github", "--no-verify", "--token-stdin", "--connection", id];
        project.engine_with(&add, &format!("token of {id}")).ends(0);
    }
    let before = project.engine(&["connections", "export", "--with-secrets"]).ends(0).stdout;
    for round in 0..10 {
        let both: Vec<_> = ["rotate", "rotate", "forget"]
            .map(|command| project.command(&["secrets", command]).spawn().unwrap())
            .into();
        for one in both {
            crate::support::project::printed(one).ends(0);
        }
        let export = project.engine(&["connections", "export", "--with-secrets"]).ends(0);
        assert_eq!(export.stdout, before, "round {round}");
        let keys = project.engine(&["secrets", "status"]).ends(0).json();
        let keys = keys.as_array().unwrap();
        let current: Vec<_> = keys.iter().filter(|key| key["current"] == true).collect();
        assert_eq!((current.len(), &current[0]["values"]), (1, &json!(3)), "{keys:?}");
        assert!(keys.iter().all(|key| key["present"] == true), "{keys:?}");
        project.engine(&["secrets", "forget"]).ends(0);
    }
    assert_eq!(project.engine(&["secrets", "status"]).ends(0).json().as_array().unwrap().len(), 1);
}

/// SQLite's locks are those of the process and the file: closing the file anywhere drops them all,
/// and the next process takes the log for one that nobody uses.
#[test]
fn a_second_opening_in_one_process_keeps_the_locks_of_the_first() {
    let project = project();
    let open = || {
        wait(Sqlite::open(Opening {
            path: project.path(".engine/engine.db"),
            key: KeySource::Beside,
            environment: "default".parse().unwrap(),
            clock: Arc::new(SystemClock::new()),
        }))
        .unwrap()
    };
    let (one, two) = (open(), open());
    project
        .engine_with(
            &["connections", "add", "github", "--connection", "b", "--no-verify", "--token-stdin"],
            "t",
        )
        .ends(0);
    assert!(project.path(".engine/engine.db-wal").exists(), "another process took us for gone");
    drop((one, two));
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}
