//! The credentials of one connection while something uses them.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroize;

use crate::{
    auth::values,
    model::{
        account::{Connection, Credentials},
        blueprint::{Integration, Variable},
        failure::Failure,
        http::HeaderMap,
        secret::{MASK, Secret},
        time::Timestamp,
    },
    policy::{
        known::{self, Known},
        redact,
    },
    template::Fault,
    value::{hex, random},
};

/// A token is new for so long.
const NEW: Duration = Duration::from_secs(10);

/// What [`CredentialSource`] answers with.
pub type CredentialsFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Arc<OpenCredentials>, Failure>> + Send + 'a>>;

/// The end of something that answers nothing.
pub type Done<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Hands out the credentials of one connection, fresh.
pub trait CredentialSource: Send + Sync {
    /// Credentials that are good now; refreshed first if they are about to end.
    fn current(&self) -> CredentialsFuture<'_>;
    /// The API refused `stale`: newer ones. Fails if there is no way to get any.
    fn renew<'a>(&'a self, stale: &'a OpenCredentials) -> CredentialsFuture<'a>;
    /// Whether there is a way to get newer ones.
    fn can_renew(&self) -> bool;
    /// Whether there is a person who can sign in again. Nobody can for a key, an app or client
    /// credentials.
    fn has_person(&self) -> bool;
    /// It is proven that the person has to sign in again; remembered, with the reason.
    fn reject<'a>(&'a self, reason: &'a str) -> Done<'a>;
}

/// Credentials, opened for templates of the blueprint; wiped when nobody uses them any more. They
/// are shared, never copied, and neither print nor serialise: templates borrow them.
pub struct OpenCredentials {
    /// Which token set they are: tells a stale token from a newer one.
    pub generation: i64,
    exposed: Value,
    /// Its texts, to be hidden where they are echoed.
    known: Known,
    /// Of signatures, where tests want the same one always.
    fixed_nonce: bool,
    /// When the token was issued, if that is known.
    issued_at: Option<Timestamp>,
    /// `connection` as it came with them, if they are newer than what a run began with.
    connection: Option<Arc<Value>>,
}

impl OpenCredentials {
    /// Opens `credentials`, together with what the integration knows.
    pub fn new(generation: i64, credentials: &Credentials, integration: &Integration) -> Self {
        let mut map = Map::new();
        let mut put = |name: &str, secret: Option<&Secret>| {
            if let Some(secret) = secret {
                map.insert(name.to_owned(), secret.expose().into());
            }
        };
        for (name, secret) in &credentials.fields {
            put(name, Some(secret));
        }
        put("app_api_key", integration.app_api_key.as_ref());
        // A client of the connection's own stands before that of the entry, and is never mixed with
        // it.
        if !credentials.fields.contains_key("client_id") {
            put("client_secret", integration.oauth_client_secret.as_ref());
            if let Some(id) = &integration.oauth_client_id {
                map.insert("client_id".to_owned(), id.clone().into());
            }
        }
        if let Some(raw) = credentials.raw.as_ref()
            && let Ok(raw) = serde_json::from_str(raw.expose())
        {
            map.insert("raw".to_owned(), raw);
        }
        let exposed = Value::Object(map);
        let values = Value::Object(values::sealed(credentials).collect());
        let mut known = known(&exposed, &values).with_names(&integration.redact);
        for variable in &*integration.variables {
            let value = variable.value.expose();
            if value.len() >= known::SHORT {
                known.add(value);
            }
        }
        let (issued_at, connection) = (None, None);
        Self { generation, exposed, known, fixed_nonce: false, issued_at, connection }
    }

    /// Those of a connection, which knows since when it has its token.
    pub fn of(connection: &Connection, integration: &Integration) -> Self {
        let Connection { account, secrets } = connection;
        let mut open = Self::new(secrets.generation, &secrets.credentials, integration);
        let issued = integration.blueprint.auth.mode.issues_tokens();
        open.issued_at = account.last_refreshed_at.filter(|_| issued);
        open
    }

    /// With the connection that they came with.
    #[must_use]
    pub fn with_connection(mut self, connection: Value) -> Self {
        self.connection = Some(Arc::new(connection));
        self
    }

    /// `connection` as it came with them, if they are newer than what a run began with.
    pub fn connection(&self) -> Option<&Arc<Value>> {
        self.connection.as_ref()
    }

    /// Whether the token was issued a moment ago, so that it may not be known everywhere yet.
    pub fn is_new(&self, now: Timestamp) -> bool {
        self.issued_at.is_some_and(|at| at <= now && now.since(at) < NEW)
    }

    /// With a nonce that tests can foresee.
    #[must_use]
    pub fn with_fixed_nonce(mut self) -> Self {
        self.fixed_nonce = true;
        self
    }

    /// Adds one that exists only while a grant is being asked for.
    pub fn put(&mut self, name: &str, secret: &Secret) {
        self.known.add(secret.expose());
        if let Some(map) = self.exposed.as_object_mut()
            && let Some(mut old) = map.insert(name.to_owned(), secret.expose().into())
        {
            wipe(&mut old);
        }
    }

    /// A text that must not be shown although it is not one of them.
    pub fn conceal(&mut self, text: &str) {
        self.known.add(text);
    }

    /// Id and secret of the client, the connection's own or the integration's; empty if there is
    /// none.
    pub fn client(&self) -> (&str, &str) {
        let text = |name: &str| self.exposed.get(name).and_then(Value::as_str).unwrap_or_default();
        (text("client_id"), text("client_secret"))
    }

    /// A nonce for one request.
    pub fn nonce(&self) -> Result<String, Fault> {
        if self.fixed_nonce {
            return Ok("00000000000000000000000000000001".to_owned());
        }
        nonce()
    }

    /// The root `credentials`.
    pub fn root(&self) -> &Value {
        &self.exposed
    }

    /// A text without these credentials: an API may echo what it was sent.
    pub fn hide(&self, text: &str) -> String {
        self.known.hide(text).into_owned()
    }

    /// The same for a JSON value, members with telling names included.
    pub fn hide_json(&self, value: &mut Value) {
        redact::json(value, &self.known);
    }

    /// A URL as it may be kept.
    pub fn hide_url(&self, url: &Url) -> String {
        self.hide(&redact::url(url, &self.known))
    }

    /// Header fields as an object, without these credentials.
    pub fn hide_headers<'a>(&'a self, fields: &'a HeaderMap) -> redact::Headers<'a> {
        redact::Headers { fields, known: &self.known }
    }

    /// A body, capped, without these credentials.
    pub fn hide_body(&self, body: &[u8]) -> Value {
        redact::body(body, &self.known)
    }
}

/// The values of the environment that stand in an entry, each to be shown as it is written there.
pub fn variables(integration: &Integration) -> Known {
    let mut known = Known::default();
    for Variable { written, value } in &*integration.variables {
        known.add_named(value.expose(), written);
        // Encoded by its place, it is to be read all the same.
        known.add_named(written, written);
    }
    known
}

/// A value as it is written in an entry, or else masked.
fn written(integration: &Integration, secret: &Secret) -> Secret {
    let same = |variable: &&Variable| variable.value == *secret;
    let found = integration.variables.iter().find(same);
    Secret::new(found.map_or(MASK, |variable| &variable.written).to_owned())
}

/// Credentials in which everything is masked: every field of the blueprint's schema, and what the
/// entry gives, which is shown as it is written there.
pub fn masked(integration: &Integration) -> OpenCredentials {
    let mut credentials = Credentials::default();
    for (name, _) in integration.blueprint.auth.credentials.properties() {
        credentials.fields.insert(name.to_owned(), Secret::new(MASK.to_owned()));
    }
    let shown = |secret: &Option<Secret>| secret.as_ref().map(|one| written(integration, one));
    let integration = Integration {
        oauth_client_id: integration.oauth_client_id.as_ref().map(|_| MASK.to_owned()),
        oauth_client_secret: shown(&integration.oauth_client_secret),
        app_api_key: shown(&integration.app_api_key),
        ..integration.clone()
    };
    OpenCredentials::new(0, &credentials, &integration)
}

/// The texts of credentials and of sealed values of the connection, and the pairs that go out as
/// HTTP Basic credentials.
fn known(credentials: &Value, values: &Value) -> Known {
    let mut texts = Vec::new();
    collect(credentials, &mut texts);
    collect(values, &mut texts);
    let text = |name: &str| credentials.get(name).and_then(Value::as_str);
    let pairs = [("username", "password"), ("client_id", "client_secret")];
    let pairs = pairs.iter().filter_map(|(name, secret)| text(name).zip(text(secret)));
    Known::new(texts, pairs)
}

/// 128 random bits, in hexadecimal digits: for nonces, and ids of requests.
pub fn nonce() -> Result<String, Fault> {
    let bytes = random::bytes::<16>().map_err(|error| Fault::new(error.to_string()))?;
    Ok(hex::encode(&bytes))
}

impl Drop for OpenCredentials {
    fn drop(&mut self) {
        wipe(&mut self.exposed);
    }
}

/// Overwrites all texts of a value. Numbers and member names are no secrets.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Gathers the texts of values that are not public.
fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        Value::Object(map) => {
            let public = |name: &str| {
                matches!(name, "token_type" | "scope" | "client_id" | "username" | "expires_in")
            };
            map.iter().filter(|(name, _)| !public(name)).for_each(|(_, v)| collect(v, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_opened_is_wiped() {
        let mut value = json!({"token": "secret", "raw": {"list": ["a", {"b": "c"}]}, "n": 1});
        wipe(&mut value);
        assert_eq!(value, json!({"token": "", "raw": {"list": ["", {"b": ""}]}, "n": 1}));
    }
}
