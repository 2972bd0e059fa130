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

/// An API that takes a value of the connection in a header and one of the environment in the path.
fn project_with_pin(peer: &Peer) -> Project {
    let url = peer.url();
    let entry = format!(
        "integrations:\n  acme:\n    extends_blueprint: acme:v0\n    app_api_key: ${{APP_KEY}}\n    log_level: debug\n    redact: [iban]\n    config: {{site: '${{SITE}}', region: '${{REGION}}', size: '${{SIZE}}'}}\n    requests: {{base_url: '{url}/{{{{integration.region}}}}'}}\n"
    );
    Project::new(&[
        ("integrations.yaml", &entry),
        (
            ".env",
            "SITE=north/site-one\nREGION=region-nine\nSIZE=12345678\nAPP_KEY=MARKED-app-key\n",
        ),
        (
            "blueprints/acme/v0.yaml",
            "blueprint: acme:v0\ntitle: Acme\nintegration: {type: object, required: [site, region, size], properties: {site: {type: string}, region: {type: string}, size: {type: integer}}}\nconnection: {type: object, required: [pin, shop], properties: {pin: {type: string, writeOnly: true}, shop: {type: string}}}\nauth: {auth_mode: API_KEY, credentials: {type: object, required: [api_key], properties: {api_key: {type: string, writeOnly: true}}}}\nrequests: {base_url: 'https://acme.test', headers: {x-key: '{{credentials.api_key}}', x-app: '{{credentials.app_api_key}}', x-pin: '{{connection.pin}}'}, params: {app: '{{credentials.app_api_key}}'}}\nerror: {message: '{{body.message}}'}\n",
        ),
        (
            "actions/acme/me.yaml",
            "action: me\nblueprint: acme:v0\ndescription: Who am I?\neffect: read\nsteps: [{id: me, get: '/{{integration.site}}', query: {size: '{{integration.size}}', iban: 'DE89'}}]\noutput: '{{steps.me.body}}'\n",
        ),
    ])
}

#[test]
fn write_only_values_of_a_connection_are_sealed_and_masked() {
    let peer = Peer::start(|seen| {
        let pin = seen.header("x-pin").unwrap_or("none").to_owned();
        Answer::Send(400, vec![], json!({"message": format!("bad pin {pin}")}).to_string())
    });
    let project = project_with_pin(&peer);
    let add = ["connections", "add", "acme", "--credentials-stdin", "--set", "shop=north"];
    let key = json!({"api_key": "MARKED-api-key"}).to_string();
    let refused = project.engine_with(&add, &key).ends(2);
    assert!(refused.stderr.contains("pin"), "{refused:?}");
    project.write("pin", "MARKED-pin-7");
    let with_pin: Vec<&str> = add.iter().copied().chain(["--set", "pin=@pin"]).collect();
    project.engine_with(&with_pin, &key).ends(0);
    let masked = json!({"shop": "north", "pin": "***"});
    let shown = project.engine(&["connections", "show", "acme", "--output=json"]).ends(0).json();
    assert_eq!(shown["connection_config"], masked);
    assert_eq!(shown["credentials"], json!({"api_key": "set"}));
    let plain = project.engine(&["connections", "export"]).ends(0);
    assert_eq!(plain.json()["connection_config"], masked);
    // It is sent, and what comes back of it is not shown.
    let run = project.engine(&["run", "acme", "me", "--allow-net", "127.0.0.0/8"]).ends(1);
    assert!(run.stderr.contains("bad pin ***"), "{run:?}");
    assert_eq!(peer.seen()[0].header("x-pin"), Some("MARKED-pin-7"));
    let dry = project.engine(&["run", "acme", "me", "--dry-run"]).ends(0);
    assert!(dry.stdout.contains("x-pin: ***"), "{dry:?}");
    for entry in std::fs::read_dir(project.path(".engine")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("MARKED"), "a secret lies in the store");
    }
    // An export with secrets holds it, and is read again; one without does not bring the mask back.
    let whole = project.engine(&["connections", "export", "--with-secrets"]).ends(0);
    assert_eq!(whole.json()["connection_config"]["pin"], "MARKED-pin-7");
    let import = ["connections", "import", "--replace"];
    project.engine_with(&import, &whole.stdout).ends(0);
    let mut line = plain.json();
    line["credentials"] = json!({"api_key": "MARKED-api-key"});
    let refused = project.engine_with(&import, &line.to_string()).ends(2);
    assert!(refused.stderr.contains("pin"), "{refused:?}");
}

#[test]
fn values_of_the_environment_are_shown_as_they_are_written() {
    let peer = Peer::start(|seen| {
        let body = json!({"by": seen.method, "iban": "DE89", "owner": {"IBAN": "DE90"}});
        Answer::Send(200, vec![], body.to_string())
    });
    let project = project_with_pin(&peer);
    project.write("pin", "MARKED-pin-7");
    let add = [
        "connections",
        "add",
        "acme",
        "--credentials-stdin",
        "--set",
        "shop=n",
        "--set",
        "pin=@pin",
    ];
    project.engine_with(&add, &json!({"api_key": "MARKED-api-key"}).to_string()).ends(0);
    for how in [&["--dry-run"][..], &["--dry-run", "--curl"], &["--dry-run", "--output=json"]] {
        let args: Vec<&str> = ["run", "acme", "me"].iter().chain(how).copied().collect();
        let dry = project.engine(&args).ends(0);
        assert!(dry.stdout.contains("/region-nine/${SITE}?"), "{dry:?}");
        assert!(dry.stdout.contains("app=${APP_KEY}"), "{dry:?}");
        assert!(dry.stdout.contains("size=12345678"), "{dry:?}");
        assert!(!dry.stdout.contains("north") && !dry.stdout.contains("MARKED"), "{dry:?}");
    }
    let shown = project.engine(&["show", "acme", "--output=json"]).ends(0).json();
    assert_eq!(shown["config"]["site"], "${SITE}");
    project.engine(&["run", "acme", "me", "--allow-net", "127.0.0.0/8"]).ends(0);
    let logs = project.engine(&["logs", "--output=json"]).ends(0).json();
    let id = logs["runs"][0]["id"].as_str().unwrap().to_owned();
    let record = project.engine(&["logs", &id, "--output=json"]).ends(0).stdout;
    assert!(record.contains("/region-nine/***?size=12345678&iban=***\""), "{record}");
    assert!(!record.contains("DE8") && !record.contains("DE9"), "{record}");
    assert!(!record.contains("north"), "{record}");
}
