//! What becomes of a connection: proven before it is stored, taken back when it is deleted, moved
//! house sealed, kept readable while keys rotate.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::support::{
    api::{NET, connect, form, project, request, vendor},
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
    // Added by hand they are proven too, unless somebody says not to.
    let add = |id: &str, key: &str, more: &[&str]| {
        let args = ["connections", "add", "keyed", "--connection", id, "--credentials-stdin"];
        let args = [&args[..], &NET, more].concat();
        project.engine_with(&args, &json!({"api_key": key}).to_string())
    };
    let refused = add("two", "wrong-key", &[]).ends(1);
    assert!(refused.stderr.contains("--no-verify"), "{}", refused.stderr);
    assert_eq!(add("two", "right-key", &[]).ends(0).json()["account_id"], "acct");
    assert_eq!(
        add("three", "right-key", &["--no-verify"]).ends(0).json()["account_id"],
        json!(null)
    );
    // A test keeps what it finds out.
    project.engine(&["connections", "test", "keyed", "--connection=three", NET[0], NET[1]]).ends(0);
    let shown = project.engine(&["connections", "show", "keyed", "--connection=three"]).ends(0);
    assert_eq!(shown.json()["account_id"], "acct");
    // Without a terminal and without JSON, it is said what is needed.
    let asked = project.engine(&["connect", "keyed", NET[0], NET[1]]).ends(2);
    assert!(
        asked.stderr.contains("`api_key`") && asked.stderr.contains("--credentials-stdin"),
        "{}",
        asked.stderr
    );
}

#[test]
fn credentials_that_can_never_work_are_refused() {
    let peer = Peer::start(|seen| {
        Answer::json(json!({"sent": seen.header("authorization").unwrap_or_default()}))
    });
    let keyed = "auth: {auth_mode: API_KEY}\nrequests: {base_url: URL, headers: {authorization: 'Token {{credentials.api_key}}'}}\n";
    let basic = "auth:\n  auth_mode: BASIC\n  credentials: {type: object, required: [username], properties: {username: {type: string}, password: {type: string}}}\nrequests: {base_url: URL}\n";
    for (blueprint, credentials, said) in [
        (keyed, json!({"api_key": "abc\n"}), "begins or ends with a line break"),
        (keyed, json!({"api_key": "a\nb"}), "has a line break"),
        (keyed, json!({"api_key": "abc "}), "begins or ends with a blank"),
        (keyed, json!({"api_key": "token abc"}), "what is put before it anyway"),
        (basic, json!({"username": "a:b", "password": "c"}), "has a colon in it"),
        (basic, json!({"password": "c"}), "username"),
    ] {
        let project = project(&peer, blueprint, "");
        let refused = project
            .engine_with(
                &["connections", "add", "api", "--no-verify", "--credentials-stdin"],
                &credentials.to_string(),
            )
            .ends(2);
        assert!(refused.stderr.contains(said), "{credentials}: {}", refused.stderr);
        connect(&project, &credentials).ends(2);
    }
    // A user name alone, where the blueprint allows that; a password may end with a blank.
    for (credentials, pair) in [
        (json!({"username": "ann"}), "Basic YW5uOg=="),
        (json!({"username": "ann", "password": "a "}), "Basic YW5uOmEg"),
    ] {
        let project = project(&peer, basic, "");
        connect(&project, &credentials).ends(0);
        assert_eq!(request(&project, "/me").ends(0).json()["sent"], pair);
    }
}

#[test]
fn an_api_without_credentials_needs_no_connection() {
    let peer = Peer::start(|seen| Answer::json(json!({"path": seen.target})));
    let none = "auth: {auth_mode: NONE}\nrequests: {base_url: URL}\n";
    assert_eq!(request(&project(&peer, none, ""), "/x").ends(0).json()["path"], "/x");
    let value = format!(
        "{none}connection: {{type: object, required: [site], properties: {{site: {{type: string}}}}}}\n"
    );
    let refused = request(&project(&peer, &value, ""), "/x").ends(2);
    assert!(refused.stderr.contains("no connection yet"), "{}", refused.stderr);
}

#[test]
fn a_client_of_the_connections_own_is_asked_for_and_sent() {
    let peer = Peer::start(|seen| match seen.target.as_str() {
        "/token" => Answer::json(json!({"access_token": "at-1", "expires_in": 3600})),
        _ => Answer::json(json!({"ok": true})),
    });
    let blueprint = "auth:\n  auth_mode: OAUTH2_CC\n  token_url: URL/token\n  credentials: {type: object, required: [client_id, client_secret], properties: {client_id: {type: string}, client_secret: {type: string, writeOnly: true}}}\nrequests: {base_url: URL}\n";
    let entry = "    oauth_client_id: of-the-entry\n    oauth_client_secret: geheim-geheim\n";
    for entry in ["", entry] {
        let project = project(&peer, blueprint, entry);
        let own = json!({"client_id": "mine", "client_secret": "my-own-secret"});
        connect(&project, &own).ends(0);
        let token = peer.seen().into_iter().rfind(|seen| seen.target == "/token").unwrap();
        assert_eq!(form(&token, "client_id").as_deref(), Some("mine"));
        assert_eq!(form(&token, "client_secret").as_deref(), Some("my-own-secret"));
    }
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
    from.engine_with(
        &["connections", "add", "slack", "--no-verify", "--token-stdin"],
        "xoxb-MARKED-token",
    )
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
    let project = Project::new(&[("integrations.yaml", "")]);
    project
        .engine_with(
            &["connections", "add", "slack", "--no-verify", "--token-stdin"],
            "xoxb-MARKED-token",
        )
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
        .engine_with(
            &["connections", "add", "acme", "--no-verify", "--credentials-stdin"],
            &credentials,
        )
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
