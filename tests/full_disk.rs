//! A disk that is full, before a refresh and in the middle of one (threat T12): the kernel's limit
//! on the size of a file refuses what the engine writes.

use std::{
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
};

use rusqlite::Connection;
use serde_json::json;

use crate::support::{
    peer::{Answer, Peer},
    project::{Project, printed},
};

const RUN: [&str; 6] = ["run", "acme-oauth", "read", "--allow-net", "127.0.0.0/8", "--output=json"];

fn project(peer: &Peer) -> Project {
    let project = Project::acme(&peer.url());
    let credentials =
        json!({"access_token": "access-token-0", "refresh_token": "r0", "expires_in": -10});
    project.add("acme-oauth", &credentials);
    project
}

/// The engine in this project, told by a failing write that the disk is full, not by a signal.
fn hardy(project: &Project) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_engine"))
        .args(RUN);
    command.current_dir(project.root()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Something else that fills the disk: it lets the log of the database grow beyond what the engine
/// may write.
struct Ballast(Connection);

impl Ballast {
    fn load(project: &Project) -> Self {
        let store = Connection::open(project.path(".engine/engine.db")).unwrap();
        store.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        store
            .execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS ballast (x); INSERT INTO ballast VALUES (0);")
            .unwrap();
        for _ in 0..600 {
            store.execute("UPDATE ballast SET x = x + 1", []).unwrap();
        }
        Self(store)
    }

    fn unload(&self) {
        self.0.execute_batch("DROP TABLE ballast; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    }
}

#[test]
fn a_full_disk_is_noticed_before_a_token_is_spent() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" => Answer::json(json!({"access_token": "new-access-token"})),
        _ => Answer::json(json!({"ok": true})),
    });
    let project = project(&peer);
    let ballast = Ballast::load(&project);
    let refused = printed(hardy(&project).spawn().unwrap());
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("store.unusable"), "{}", refused.stderr);
    assert_eq!(peer.count("/token"), 0, "the refresh token is still good");
    ballast.unload();
    printed(hardy(&project).spawn().unwrap()).ends(0);
    assert_eq!(peer.count("/token"), 1);
}

/// The vendor has rotated, and then nothing can be written: the call goes on with the new token,
/// and the token is stored when there is room again.
#[test]
fn a_disk_that_fills_up_during_a_refresh_loses_no_token() {
    let place = Arc::new(OnceLock::<Project>::new());
    let (project_of, ballast) = (Arc::clone(&place), Mutex::new(None));
    let peer = Peer::start(move |seen| {
        let mut ballast = ballast.lock().unwrap();
        if seen.target == "/token" {
            if ballast.is_some() {
                return Answer::status(400, json!({"error": "invalid_grant"}));
            }
            *ballast = Some(Ballast::load(project_of.get().unwrap()));
            return Answer::json(
                json!({"access_token": "access-token-1", "refresh_token": "r1", "expires_in": 3600}),
            );
        }
        if let Some(ballast) = ballast.as_ref() {
            ballast.unload();
        }
        if seen.header("authorization") == Some("Bearer access-token-1") {
            Answer::json(json!({"ok": true}))
        } else {
            Answer::status(401, json!({}))
        }
    });
    let project = place.get_or_init(|| project(&peer));
    let run = printed(hardy(project).spawn().unwrap()).ends(0);
    assert!(run.stderr.contains("kept in memory"), "{}", run.stderr);
    let shown =
        project.engine(&["connections", "show", "acme-oauth", "--output=json"]).ends(0).json();
    assert_eq!(shown["status"], "active", "{shown}");
    let export = project.engine(&["connections", "export", "--with-secrets"]);
    assert!(export.stdout.contains("access-token-1"), "{export:?}");
}
