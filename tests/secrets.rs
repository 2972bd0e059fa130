//! Marked secrets go through everything once; afterwards the marks are looked for everywhere.

use serde_json::json;

use crate::support::{
    peer::{Answer, Peer},
    project::{Printed, Project},
};

const ACCESS: &str = "MARKED-access-token-1";
const NEWER: &str = "MARKED-access-token-2";
const REFRESH: &str = "MARKED-refresh-token-1";
const CLIENT: &str = "MARKED-client-secret";
const HEADER: &str = "MARKED-app-key-xyz";

#[test]
fn no_secret_reaches_a_screen_a_record_or_a_file() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" => Answer::json(json!({"access_token": NEWER, "expires_in": 3600})),
        // An API that echoes what it was sent, in headers and body.
        _ => {
            let sent = seen.header("authorization").unwrap_or("").to_owned();
            Answer::Send(
                400,
                vec![("x-echo", sent.clone())],
                json!({"message": format!("bad token {sent}"), "echo": [sent]}).to_string(),
            )
        }
    });
    let url = peer.url();
    let project = Project::new(&[
        (
            "integrations.yaml",
            &format!(
                "integrations:\n  acme:\n    extends_blueprint: acme:v0\n    oauth_client_id: id\n    oauth_client_secret: ${{SECRET}}\n    app_api_key: ${{APP_KEY}}\n    log_level: trace\n    requests: {{base_url: '{url}', headers: {{x-app: '{{{{credentials.app_api_key}}}}'}}}}\n    auth: {{token_url: '{url}/token'}}\n"
            ),
        ),
        (".env", &format!("SECRET={CLIENT}\nAPP_KEY={HEADER}\n")),
        (
            "blueprints/acme/v0.yaml",
            "blueprint: acme:v0\ntitle: Acme\nauth: {auth_mode: OAUTH2, authorization_url: 'https://acme.test/a', token_url: 'https://acme.test/token'}\nrequests: {base_url: 'https://acme.test'}\nerror: {message: '{{body.message}}', detail: {echo: '{{opt body.echo}}'}}\n",
        ),
        (
            "actions/acme/me.yaml",
            "action: me\nblueprint: acme:v0\ndescription: Who am I?\neffect: read\nsteps: [{id: me, get: /me}]\noutput: '{{steps.me.body}}'\n",
        ),
    ]);
    let mut seen: Vec<Printed> = Vec::new();
    seen.push(
        project
            .engine_with(
                &["connections", "add", "acme", "--credentials-stdin"],
                &json!({"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": -1})
                    .to_string(),
            )
            .ends(0),
    );
    let run =
        ["run", "acme", "me", "--allow-net", "127.0.0.0/8", "--log", "trace", "--output=json"];
    seen.push(project.engine(&run).ends(1));
    for args in [
        vec!["show", "acme", "--origin"],
        vec!["show", "acme", "--output=json"],
        vec!["check"],
        vec!["settings"],
        vec!["connections", "list", "--output=json"],
        vec!["connections", "show", "acme"],
        vec!["connections", "export"],
        vec!["logs", "--output=json"],
        vec!["run", "acme", "me", "--dry-run"],
        vec!["run", "acme", "me", "--dry-run", "--curl"],
    ] {
        seen.push(project.engine(&args));
    }
    let logs = project.engine(&["logs", "--output=json"]).ends(0).json();
    let id = logs["runs"][0]["id"].as_str().unwrap().to_owned();
    seen.push(project.engine(&["logs", &id, "--output=json"]).ends(0));
    let run = &seen[seen.len() - 1].stdout;
    assert!(run.contains("\"status\""), "{run}");
    for printed in &seen {
        for mark in [ACCESS, NEWER, REFRESH, CLIENT, HEADER] {
            assert!(
                !printed.stdout.contains(mark) && !printed.stderr.contains(mark),
                "{mark} in {printed:?}"
            );
        }
    }
    // What is stored is sealed: in the database, its log, and whatever else lies there.
    for entry in std::fs::read_dir(project.path(".engine")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("MARKED"), "a secret lies in the store's folder");
    }
    // And it was really used.
    assert_eq!(peer.seen()[1].header("authorization"), Some(format!("Bearer {NEWER}").as_str()));
    assert_eq!(peer.seen()[1].header("x-app"), Some(HEADER));
}
