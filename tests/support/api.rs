//! APIs that a peer plays: `api:v0`, whose blueprint a test writes, and the vendor `acme:v0`.

use serde_json::Value;

use crate::support::{
    peer::{Peer, Seen},
    project::{Printed, Project},
};

/// Lets the peer be called.
pub const NET: [&str; 2] = ["--allow-net", "127.0.0.0/8"];

/// A blueprint at a peer; `URL` in it is the peer's.
pub fn project(peer: &Peer, blueprint: &str, entry: &str) -> Project {
    let url = peer.url();
    let project = Project::new(&[(
        "integrations.yaml",
        &format!(
            "integrations:\n  api:\n    extends_blueprint: api:v0\n{}",
            entry.replace("URL", &url)
        ),
    )]);
    let text = format!("blueprint: api:v0\ntitle: API\n{}", blueprint.replace("URL", &url));
    project.write("blueprints/api/v0.yaml", &text);
    project
}

/// `engine connect api` with these credentials.
pub fn connect(project: &Project, credentials: &Value) -> Printed {
    project.engine_with(
        &["connect", "api", "--credentials-stdin", NET[0], NET[1]],
        &credentials.to_string(),
    )
}

/// `engine request api GET PATH`.
pub fn request(project: &Project, path: &str) -> Printed {
    project.engine(&["request", "api", "GET", path, NET[0], NET[1]])
}

/// A field of the body that was sent.
pub fn form(seen: &Seen, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(seen.body.as_bytes());
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// An API whose token endpoint and `/me` are the peer's.
pub fn vendor(peer: &Peer) -> Project {
    let url = peer.url();
    Project::new(&[
        (
            "integrations.yaml",
            &format!(
                "integrations:\n  acme:\n    extends_blueprint: acme:v0\n    oauth_client_id: id\n    oauth_client_secret: geheim\n    requests: {{base_url: '{url}'}}\n    auth: {{token_url: '{url}/token', authorization_url: '{url}/authorize'}}\n"
            ),
        ),
        (
            "blueprints/acme/v0.yaml",
            "blueprint: acme:v0\ntitle: Acme\nconnection: {type: object, properties: {site: {type: string, readOnly: true, pattern: '^[a-z]+$'}}}\nauth:\n  auth_mode: OAUTH2\n  authorization_url: https://acme.test/authorize\n  token_url: https://acme.test/token\n  issuer: https://acme.test\n  save: {site: '{{callback.site}}'}\nrequests: {base_url: 'https://acme.test'}\nconnect: {discover: [{id: me, get: /me}], account: {id: '{{steps.me.body.id}}', name: '{{steps.me.body.name}}'}}\nretry: {attempts: 2, initial: 1ms, max: 2ms}\n",
        ),
    ])
}
