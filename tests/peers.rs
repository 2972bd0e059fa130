//! Against real servers: the certified OAuth server `oidc-provider`, through the real binary.
//! Needs Node.js and `npm ci` in `tests/peers`; `.ci/run` brings both, and runs this with
//! `cargo test --test peers`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, clippy::too_many_lines, reason = "tests may")]
#![expect(dead_code, reason = "support is shared")]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use support::{
    browser::{Browser, after},
    project::{Project, printed},
    signing::SigningIn,
};

const NET: [&str; 2] = ["--allow-net", "127.0.0.0/8"];

/// The server, and a project whose integrations are its clients.
struct World {
    server: Child,
    issuer: String,
    project: Project,
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

impl World {
    fn start() -> Self {
        let project = Project::new(&[]);
        let (pem, jwks) = keys(&project);
        project.write("jwks.json", &jwks.to_string());
        let folder = format!("{}/tests/peers", env!("CARGO_MANIFEST_DIR"));
        let mut server = Command::new("node")
            .arg(format!("{folder}/oauth.mjs"))
            .arg(project.path("jwks.json"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Node.js: {error}; `.ci/run` installs it"));
        let mut issuer = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        let issuer = issuer.trim().to_owned();
        assert!(issuer.starts_with("http"), "no server: run `npm ci` in tests/peers");
        project.write(".env", &format!("SIGNER_KEY={}\n", pem.replace('\n', "\\n")));
        project.write("integrations.yaml", &format!("integrations:
  web: {{extends_blueprint: oidc:v0, oauth_client_id: 'web app', oauth_client_secret: 's3cret & more:%'}}
  phone: {{extends_blueprint: oidc:v0, oauth_client_id: device, auth: {{authorization_method: none, pkce: false}}}}
  machine: {{extends_blueprint: oidc-machine:v0, oauth_client_id: machine, oauth_client_secret: machine-secret}}
  signer:
    extends_blueprint: oidc-machine:v0
    oauth_client_id: signer
    app_api_key: ${{SIGNER_KEY}}
    auth:
      token_request: {{client_auth: private_key_jwt}}
      assertion: {{algorithm: RS256, key: '{{{{credentials.app_api_key}}}}', key_id: k1, claims: {{aud: '{issuer}'}}}}
"));
        project.write("blueprints/oidc/v0.yaml", &format!("blueprint: oidc:v0
title: OIDC
auth:
  auth_mode: OAUTH2
  authorization_url: {issuer}/auth
  authorization_params: {{prompt: consent}}
  token_url: {issuer}/token
  device_authorization_url: {issuer}/device/auth
  issuer: {issuer}
  authorization_method: header
  default_scopes: [openid, offline_access]
  revoke: {{post: '{issuer}/token/revocation', form: {{token: '{{{{credentials.refresh_token}}}}', token_type_hint: refresh_token}}, client_auth: basic}}
requests: {{base_url: '{issuer}'}}
connect: {{discover: [{{id: me, get: /me}}], account: {{id: '{{{{steps.me.body.sub}}}}'}}}}
retry: {{attempts: 1}}
"));
        project.write(
            "blueprints/oidc-machine/v0.yaml",
            &format!(
                "blueprint: oidc-machine:v0
title: OIDC machine
auth: {{auth_mode: OAUTH2_CC, token_url: '{issuer}/token'}}
requests: {{base_url: '{issuer}'}}
"
            ),
        );
        Self { server, issuer, project }
    }

    fn engine(&self, args: &[&str]) -> support::project::Printed {
        let mut all = args.to_vec();
        all.extend(NET);
        self.project.engine(&all)
    }

    /// Signs in to `web` as the browser does; the connection.
    fn sign_in(&self, id: &str) -> Value {
        let port = "3003";
        let mut signing = SigningIn::begin(
            &self.project,
            &["connect", "web", "--connection", id, "--port", port, NET[0], NET[1]],
        );
        let url = signing.line("/auth?");
        let mut browser = Browser::default();
        let back = browser.open(&url, |url| url.starts_with("http://localhost:3003/"));
        let shown = browser.open(&back.url, |_| false);
        assert_eq!(shown.status, 200, "{} {}", back.url, shown.page);
        signing.end().ends(0).json()
    }

    fn secrets(&self, integration: &str, id: &str) -> Value {
        let all = self.engine(&["connections", "export", integration, "--with-secrets"]).ends(0);
        let lines = all.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = lines.into_iter().find(|line| line["id"] == id).unwrap();
        found["credentials"].clone()
    }

    /// Token requests so far.
    fn asked(&self) -> u64 {
        let shown = Browser::default().open(&format!("{}/counts", self.issuer), |_| false);
        let json = &shown.page[shown.page.find('{').unwrap()..=shown.page.rfind('}').unwrap()];
        serde_json::from_str::<Value>(json).unwrap()["token"].as_u64().unwrap()
    }
}

/// A key of OpenSSL's making, and what the server knows of it.
fn keys(project: &Project) -> (String, Value) {
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl").args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let pem = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    project.write("key.pem", &pem);
    let path = project.path("key.pem");
    let modulus = openssl(&["rsa", "-in", path.to_str().unwrap(), "-noout", "-modulus"]);
    let digits = modulus.trim().trim_start_matches("Modulus=");
    let bytes: Vec<u8> = (0..digits.len() / 2)
        .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    let n = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
    let jwks = json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "e": "AQAB", "n": n}]});
    (pem, jwks)
}

#[test]
fn a_certified_server_is_satisfied() {
    let world = World::start();

    // Code and PKCE, a client secret with characters that must be encoded in Basic, and `iss`.
    let connection = world.sign_in("default");
    assert_eq!(connection["account_id"], "alice");
    assert!(connection["scopes"].as_array().unwrap().contains(&json!("offline_access")));
    let me = world.engine(&["request", "web", "GET", "/me"]).ends(0).json();
    assert_eq!(me["sub"], "alice");

    // Refresh tokens rotate, and each is used once.
    let first = world.secrets("web", "default");
    world.engine(&["connections", "refresh", "web"]).ends(0);
    let second = world.secrets("web", "default");
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_ne!(first["access_token"], second["access_token"]);
    world.engine(&["connections", "refresh", "web"]).ends(0);
    assert_eq!(world.engine(&["request", "web", "GET", "/me"]).ends(0).json()["sub"], "alice");

    // 25 tasks in two processes need a fresh token at once: one token request.
    let third = world.secrets("web", "default");
    let stale = json!({"integration": "web", "id": "default", "credentials": {
        "access_token": "expired", "refresh_token": third["refresh_token"], "expires_at": 1_000_000_000
    }});
    let import =
        world.project.engine_with(&["connections", "import", "--replace"], &stale.to_string());
    assert_eq!(import.code, 0, "{}", import.stderr);
    world.project.write("actions/oidc/crowd.yaml", "action: crowd\nblueprint: oidc:v0\ndescription: 25 at once.\neffect: read\ninput: {type: object, properties: {n: {type: array}}}\nsteps:\n  - {id: me, each: '{{input.n}}', concurrency: 25, get: /me}\noutput: '{{length steps.me.outputs}}'\n");
    let before = world.asked();
    let numbers: Vec<u32> = (0..25).collect();
    let input = json!({"n": numbers}).to_string();
    let run = ["run", "web", "crowd", "--input", &input, NET[0], NET[1]];
    let crowds: Vec<Child> = (0..2).map(|_| world.project.command(&run).spawn().unwrap()).collect();
    for crowd in crowds {
        assert_eq!(printed(crowd).ends(0).json(), json!(25));
    }
    assert_eq!(world.asked() - before, 1);

    // A refresh token that was used before ends the grant; the connection says so once.
    let reused = json!({"integration": "web", "id": "thief", "credentials": {
        "access_token": "expired", "refresh_token": first["refresh_token"], "expires_at": 1_000_000_000
    }});
    world.project.engine_with(&["connections", "import"], &reused.to_string()).ends(0);
    let thief = world.engine(&["connections", "refresh", "web", "--connection", "thief"]).ends(1);
    assert!(thief.stderr.contains("needs authorization"), "{}", thief.stderr);
    let honest =
        world.engine(&["connections", "refresh", "web", "--connection", "default"]).ends(1);
    assert!(honest.stderr.contains("engine connect web"), "{}", honest.stderr);
    let before = world.asked();
    world.engine(&["request", "web", "GET", "/me", "--connection", "default"]).ends(1);
    assert_eq!(world.asked(), before, "a dead grant is not asked about again");

    // Signing in again mends it.
    assert_eq!(world.sign_in("default")["status"], "active");
    world.engine(&["request", "web", "GET", "/me", "--connection", "default"]).ends(0);

    // Revocation (RFC 7009): the tokens are good for nothing afterwards.
    let held = world.secrets("web", "default");
    world.engine(&["connections", "revoke", "web", "--connection", "default"]).ends(0);
    let gone = json!({"integration": "web", "id": "gone", "credentials": {
        "access_token": "expired", "refresh_token": held["refresh_token"], "expires_at": 1_000_000_000
    }});
    world.project.engine_with(&["connections", "import"], &gone.to_string()).ends(0);
    world.engine(&["connections", "refresh", "web", "--connection", "gone"]).ends(1);

    // Client credentials, by secret and by a signed assertion (RFC 7523).
    for integration in ["machine", "signer"] {
        let connection = world.engine(&["connect", integration]).ends(0).json();
        assert_eq!(connection["credentials"]["access_token"], "set", "{integration}");
        world.engine(&["connections", "refresh", integration]).ends(0);
    }

    // The device grant (RFC 8628), by a public client.
    let mut signing =
        SigningIn::begin(&world.project, &["connect", "phone", "--device", NET[0], NET[1]]);
    let url = signing.line("or open ").split(' ').next_back().unwrap().to_owned();
    let mut browser = Browser::default();
    let page = browser.open(&url, |_| false);
    let form = |page: &str, more: &str| {
        let xsrf = after(page, "name=\"xsrf\" value=\"");
        format!("xsrf={xsrf}&user_code={}&{more}", url.rsplit('=').next().unwrap())
    };
    let mut page = page.page;
    if !page.contains("confirm") {
        page = browser.post(&format!("{}/device", world.issuer), &form(&page, "")).page;
    }
    let confirmed = browser.post(&format!("{}/device", world.issuer), &form(&page, "confirm=yes"));
    assert!(confirmed.page.contains("done"), "{} {}", confirmed.url, confirmed.page);
    signing.end().ends(0);
    assert_eq!(world.engine(&["request", "phone", "GET", "/me"]).ends(0).json()["sub"], "alice");
}
