//! The credentials of one connection while something uses them.

use std::{future::Future, pin::Pin, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    auth::random::random,
    model::{
        account::Credentials, blueprint::Integration, failure::Failure, http::HeaderMap,
        secret::Secret,
    },
    policy::redact::{self, Known},
    template::Fault,
};

/// What [`CredentialSource`] answers with.
pub type Holding<'a> = Pin<Box<dyn Future<Output = Result<Arc<Held>, Failure>> + Send + 'a>>;

/// The end of something that answers nothing.
pub type Done<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Hands out the credentials of one connection, fresh.
pub trait CredentialSource: Send + Sync {
    /// Credentials that are good now; refreshed first if they are about to end.
    fn current(&self) -> Holding<'_>;
    /// The API refused `stale`: newer ones. Fails if there is no way to get any.
    fn renew<'a>(&'a self, stale: &'a Held) -> Holding<'a>;
    /// The API says that a person has to sign in again; remembered, with the reason.
    fn reject<'a>(&'a self, reason: &'a str) -> Done<'a>;
}

/// Credentials, opened for templates of the blueprint. Neither prints nor serialises; the root
/// `credentials` of [`crate::auth::authorize`] is the only reader.
pub struct Held {
    /// Which token set they are: tells a stale token from a newer one.
    pub generation: i64,
    exposed: Value,
    /// Its texts, to be hidden where they are echoed.
    known: Known,
    /// Of signatures, where tests want the same one always.
    fixed_nonce: bool,
}

impl Held {
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
        put("client_secret", integration.oauth_client_secret.as_ref());
        put("app_api_key", integration.app_api_key.as_ref());
        if let Some(id) = &integration.oauth_client_id {
            map.insert("client_id".to_owned(), id.clone().into());
        }
        if let Some(raw) = credentials.raw.as_ref()
            && let Ok(raw) = serde_json::from_str(raw.expose())
        {
            map.insert("raw".to_owned(), raw);
        }
        let exposed = Value::Object(map);
        let known = known(&exposed);
        Self { generation, exposed, known, fixed_nonce: false }
    }

    /// With a nonce that tests can foresee.
    #[must_use]
    pub fn with_fixed_nonce(mut self) -> Self {
        self.fixed_nonce = true;
        self
    }

    /// A nonce for one request.
    pub fn nonce(&self) -> Result<String, Fault> {
        if self.fixed_nonce {
            return Ok("00000000000000000000000000000001".to_owned());
        }
        random()
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

    /// Header fields as an object, without these credentials.
    pub fn hide_headers<'a>(&'a self, fields: &'a HeaderMap) -> redact::Headers<'a> {
        redact::Headers { fields, known: &self.known }
    }

    /// A body, capped, without these credentials.
    pub fn hide_body(&self, body: &[u8]) -> Value {
        redact::body(body, &self.known)
    }
}

/// The texts of credentials, and the pairs that go out as HTTP Basic credentials.
fn known(credentials: &Value) -> Known {
    let mut texts = Vec::new();
    collect(credentials, &mut texts);
    let text = |name: &str| credentials.get(name).and_then(Value::as_str);
    let pairs = [("username", "password"), ("client_id", "client_secret")];
    let pairs = pairs.iter().filter_map(|(name, secret)| text(name).zip(text(secret)));
    Known::new(texts, pairs)
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
