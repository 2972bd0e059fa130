//! What becomes of a connection: proven before it is stored, taken back when it is deleted, moved
//! house sealed, kept readable while keys rotate.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::support::{
    api::{NET, vendor},
    browser::after,
    peer::{Answer, Peer},
    project::Project,
};

#[test]
fn keys_are_proven_before_they_are_stored() {
    let peer = Peer::start(|seen| match seen.header("x-key") {
        Some("right-key") => Answer::json(json!({"id": "acct"})),
        _ => Answer::status(401, json!({"message": "bad key"})),
    });
    let url = peer.url();
    let project = Project::new(&[
        (
            "integrations.yaml",
            &format!(
                "integrations: {{keyed: {{extends_blueprint: keyed:v0, requests: {{base_url: '{url}'}}}}}}\n"
            ),
        ),
        (
            "blueprints/keyed/v0.yaml",
            "blueprint: keyed:v0\ntitle: Keyed\nauth: {auth_mode: API_KEY}\nrequests: {base_url: 'https://k.test', headers: {x-key: '{{credentials.api_key}}'}}\nverify: {get: /me}\nconnect: {discover: [{id: me, get: /me}], account: {id: '{{steps.me.body.id}}'}}\n",
        ),
    ]);
    let connect = |key: &str| {
        let args = ["connect", "keyed", "--credentials-stdin", NET[0], NET[1]];
        project.engine_with(&args, &json!({"api_key": key}).to_string())
    };
    let refused = connect("wrong-key").ends(1);
    assert!(refused.stderr.contains("the API refuses these credentials"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("wrong-key"));
    assert_eq!(project.engine(&["connections", "list"]).ends(0).json(), json!([]));
    assert_eq!(connect("right-key").ends(0).json()["account_id"], "acct");
    // Without a terminal and without JSON, it is said what is needed.
    let asked = project.engine(&["connect", "keyed", NET[0], NET[1]]).ends(2);
    assert!(
        asked.stderr.contains("`api_key`") && asked.stderr.contains("--credentials-stdin"),
        "{}",
        asked.stderr
    );
}

#[test]
fn deleting_takes_tokens_back_or_tries_again() {
    use std::sync::{Arc, atomic::AtomicBool};
    let up = Arc::new(AtomicBool::new(false));
    let healthy = Arc::clone(&up);
    let peer = Peer::start(move |seen| match seen.target.as_str() {
        "/revoke" if healthy.load(Ordering::SeqCst) => Answer::Send(200, vec![], String::new()),
        _ => Answer::status(503, json!({"error": "temporarily_unavailable"})),
    });
    let url = peer.url();
    let project = vendor(&peer);
    project.write("blueprints/acme/v0.yaml", &format!(
        "blueprint: acme:v0\ntitle: Acme\nauth:\n  auth_mode: OAUTH2\n  authorization_url: https://acme.test/authorize\n  token_url: https://acme.test/token\n  revoke: {{post: '{url}/revoke', form: {{token: '{{{{first credentials.refresh_token credentials.access_token}}}}'}}, client_auth: basic}}\nrequests: {{base_url: 'https://acme.test'}}\n"
    ));
    for id in ["one", "two"] {
        project
            .engine_with(
                &["connections", "add", "acme", "--connection", id, "--credentials-stdin"],
                &json!({"access_token": "at", "refresh_token": format!("rt-{id}")}).to_string(),
            )
            .ends(0);
    }
    let delete = |id: &str| {
        project.engine(&["connections", "delete", "acme", "--connection", id, NET[0], NET[1]])
    };
    let first = delete("one").ends(0);
    assert!(first.stderr.contains("tried again"), "{}", first.stderr);
    assert_eq!(first.json()["pending_revocations"], 1);
    assert_eq!(
        project.engine(&["connections", "list"]).ends(0).json().as_array().map(Vec::len),
        Some(1)
    );
    up.store(true, Ordering::SeqCst);
    let second = delete("two").ends(0).json();
    assert_eq!(
        (second["deleted"]["revoked"].as_bool(), second["pending_revocations"].as_u64()),
        (Some(true), Some(0))
    );
    let taken: Vec<String> = peer
        .seen()
        .iter()
        .filter(|seen| seen.target == "/revoke")
        .map(|seen| after(&format!("{}\"", seen.body), "token=").to_owned())
        .collect();
    assert!(
        taken.contains(&"rt-one".to_owned()) && taken.contains(&"rt-two".to_owned()),
        "{taken:?}"
    );
}

#[test]
fn connections_move_house_sealed() {
    let from = Project::new(&[(
        "integrations.yaml",
        "integrations: {slack: {extends_blueprint: slack:v0}}\n",
    )]);
    from.write("pass", "correct horse battery\n");
    from.engine_with(&["connections", "add", "slack", "--token-stdin"], "xoxb-MARKED-token")
        .ends(0);
    from.engine(&[
        "connections",
        "export",
        "--encrypt",
        "--passphrase-file",
        "pass",
        "--to",
        "out",
    ])
    .ends(0);
    let sealed = std::fs::read_to_string(from.path("out")).unwrap();
    assert!(!sealed.contains("MARKED"));
    let to = Project::new(&[(
        "integrations.yaml",
        "integrations: {slack: {extends_blueprint: slack:v0}}\n",
    )]);
    to.write("out", &sealed);
    to.write("wrong", "x");
    to.write("pass", "correct horse battery");
    let refused =
        to.engine(&["connections", "import", "--from", "out", "--passphrase-file", "wrong"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    to.engine(&["connections", "import", "--from", "out", "--passphrase-file", "pass"]).ends(0);
    let there = to.engine(&["connections", "export", "--with-secrets"]).ends(0);
    assert!(there.stdout.contains("xoxb-MARKED-token"));
}

#[test]
fn keys_rotate_while_values_stay_readable() {
    let project = Project::new(&[]);
    project
        .engine_with(&["connections", "add", "slack", "--token-stdin"], "xoxb-MARKED-token")
        .ends(0);
    let before = std::fs::read_to_string(project.path(".engine/key")).unwrap();
    let rotated = project.engine(&["secrets", "rotate"]).ends(0).json();
    assert_eq!(rotated.as_array().map(Vec::len), Some(2));
    let old =
        rotated.as_array().unwrap().iter().find(|key| key["current"] == false).unwrap().clone();
    assert_eq!(old["values"], 0);
    project.engine(&["secrets", "forget"]).ends(0);
    let after = std::fs::read_to_string(project.path(".engine/key")).unwrap();
    assert!(after != before && after.lines().count() == 1);
    assert!(
        project
            .engine(&["connections", "export", "--with-secrets"])
            .ends(0)
            .stdout
            .contains("MARKED")
    );
    // The old key opens nothing any more; a command may bring the new one.
    let with = |name: &str, value: &str| {
        let mut command = project.command(&["connections", "list"]);
        command.env(name, value).env("PATH", "/usr/bin:/bin");
        crate::support::project::printed(command.spawn().unwrap())
    };
    assert_eq!(with("ENGINE_KEY", &before).code, 3);
    with("ENGINE_KEY_COMMAND", "cat .engine/key").ends(0);
    assert_eq!(with("ENGINE_KEY_COMMAND", "exit 1").code, 3);
    // Several keys in the environment: the first one seals.
    let both = format!("{},{}", before.trim(), after.trim());
    with("ENGINE_KEY", &both).ends(0);
}

#[test]
fn a_forbidden_call_is_explained_in_the_record_too() {
    let peer = Peer::start(|_| Answer::status(403, json!({"error": "no"})));
    let project = vendor(&peer);
    project.write(
        "actions/acme/send.yaml",
        "action: send\nblueprint: acme:v0\ndescription: Sends.\nscopes: [read, send]\nsteps: [{id: it, get: /it}]\noutput: {}\n",
    );
    let credentials = json!({"access_token": "at", "scope": "read write"}).to_string();
    project
        .engine_with(&["connections", "add", "acme", "--credentials-stdin"], &credentials)
        .ends(0);
    let failed = project.engine(&["run", "acme", "send", NET[0], NET[1], "--output=json"]).ends(1);
    let error = failed.json()["error"].clone();
    assert_eq!(error["code"], "forbidden");
    assert!(error["hint"].as_str().unwrap().contains("not granted: send;"), "{error}");
    let runs = project.engine(&["logs", "--output=json"]).ends(0).stdout;
    let id = runs.split('"').find(|word| word.starts_with("run_")).unwrap();
    let record = project.engine(&["logs", id, "--output=json"]).ends(0).stdout;
    assert!(record.contains("not granted: send;"), "{record}");
}
