//! What templates of `auth` see: the values of one connection, opened.

use std::time::Duration;

use serde_json::{Map, Value};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::{
    auth::{credentials::OpenCredentials, values},
    model::{
        account::Connection,
        blueprint::Integration,
        failure::{Code, Failure},
        http::{Fields, Request},
        proxy::Route,
        secret::Secret,
        sign::{Algorithm, Assertion, KeyEncoding},
        time::Timestamp,
    },
    policy::known::is_sensitive,
    sign::{
        jwt::{self, SigningKey},
        key::{self, PrivateKey},
    },
    template::{self, Fault, Scope},
    value::hex,
};

/// The roots, kept while a grant is being asked for.
pub struct SignInScope {
    connection: Value,
    integration: Value,
    credentials: OpenCredentials,
    route: Option<Route>,
    now: Timestamp,
}

impl SignInScope {
    /// Opens a connection.
    pub fn new(integration: &Integration, connection: &Connection, now: Timestamp) -> Self {
        let secrets = &connection.secrets;
        Self {
            connection: values::root(connection),
            integration: integration.root(),
            credentials: OpenCredentials::new(
                secrets.generation,
                &secrets.credentials,
                integration,
            ),
            route: integration.blueprint.requests.route.clone(),
            now,
        }
    }

    /// The way to the API, unless that of the settings is right.
    pub fn route(&self) -> Option<&Route> {
        self.route.as_ref()
    }

    /// What templates see.
    pub fn scope(&self) -> Scope<'_> {
        self.open_scope().with("credentials", self.credentials.root())
    }

    /// What rules see, whose messages people read.
    pub fn open_scope(&self) -> Scope<'_> {
        Scope::new(self.now)
            .with("connection", &self.connection)
            .with("integration", &self.integration)
    }

    /// Adds a credential that exists only while the grant is being asked for.
    pub fn put(&mut self, name: &str, secret: &Secret) {
        self.credentials.put(name, secret);
    }

    /// A text that must not be shown.
    pub fn conceal(&mut self, text: &str) {
        self.credentials.conceal(text);
    }

    /// Hides what was sent: an endpoint may say it back.
    pub fn hide_sent(&mut self, request: &Request) {
        for secret in sent(request) {
            self.credentials.conceal(&secret);
        }
    }

    /// The credentials.
    pub fn credentials(&self) -> &OpenCredentials {
        &self.credentials
    }

    /// Signs a token. `usual` are claims that stand unless the blueprint gives them.
    pub fn sign(&self, assertion: &Assertion, usual: &[(&str, String)]) -> Result<Secret, Fault> {
        let scope = self.scope();
        let (key, facts) = self.key(assertion)?;
        let scope = scope.with("key", &facts);
        let mut header = members(&assertion.header, &scope)?;
        if let Some(template) = &assertion.key_id
            && let Some(id) = template::text(template, &scope)?
        {
            header.insert("kid".to_owned(), id.into());
        }
        if let Some(template) = &assertion.certificate
            && let Some(pem) = template::text(template, &scope)?
        {
            let print = key::thumbprint(&pem).map_err(|e| Fault::new(e.to_string()))?;
            header.insert("x5t#S256".to_owned(), print.into());
        }
        let issued = self.now.0.div_euclid(1000).saturating_sub_unsigned(back(assertion).as_secs());
        let lifetime = i64::try_from(assertion.lifetime.as_secs()).unwrap_or(300);
        let mut claims = Map::new();
        claims.insert("iat".to_owned(), issued.into());
        claims.insert("exp".to_owned(), issued.saturating_add(lifetime).into());
        for (name, value) in usual {
            claims.insert((*name).to_owned(), value.as_str().into());
        }
        claims.extend(members(&assertion.claims, &scope)?);
        jwt::sign(assertion.algorithm, &key, header, &claims).map_err(|e| Fault::new(e.to_string()))
    }

    /// The key, and what templates may know of it.
    fn key(&self, assertion: &Assertion) -> Result<(SigningKey, Value), Fault> {
        let text = template::text(&assertion.key, &self.scope())?.unwrap_or_default();
        let mut facts = Map::new();
        let key = match assertion.algorithm {
            Algorithm::Hs256 => {
                SigningKey::Shared(key_bytes(&text, assertion.key_encoding)?.into())
            }
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => {
                let key = PrivateKey::read(&text).map_err(|e| Fault::new(e.to_string()))?;
                let print = key.fingerprint().map_err(|e| Fault::new(e.to_string()))?;
                facts.insert("fingerprint".to_owned(), print.into());
                SigningKey::Private(key)
            }
        };
        Ok((key, Value::Object(facts)))
    }
}

/// So long before now an assertion says that it was issued: a clock that is behind refuses what comes
/// from the future. Its end is counted from there, for vendors bound the span between the two.
pub fn back(assertion: &Assertion) -> Duration {
    Duration::from_mins(1).min(assertion.lifetime / 2)
}

/// Keeps what `auth.save` takes from the callback alone, before the code is exchanged.
pub fn save_callback(
    integration: &Integration,
    connection: &mut Connection,
    callback: &Value,
) -> Result<(), Failure> {
    let none = Value::Null;
    let roots = SignInScope::new(integration, connection, Timestamp(0));
    let mut scope = roots.scope().with("callback", callback).with("body", &none);
    scope.lenient = true;
    let saved = members(integration.blueprint.auth.mode.save(), &scope)
        .map_err(|fault| Failure::new(Code::Template, fault.message))?;
    let saved = saved.into_iter().filter(|(_, value)| !value.is_null()).collect();
    connection.take_values(&integration.blueprint.connection_schema, saved);
    Ok(())
}

/// What a request of signing in holds of codes, verifiers, assertions, tokens and keys, by the names
/// of its parameters.
fn sent(request: &Request) -> Vec<Zeroizing<String>> {
    let is_secret = |name: &str| name == "code" || is_sensitive(name);
    let mut found = Vec::new();
    let mut take = |name: &str, value: &str| {
        if is_secret(name) {
            found.push(Zeroizing::new(value.to_owned()));
        }
    };
    request.url.query_pairs().for_each(|(name, value)| take(&name, &value));
    let body = request.body.held().unwrap_or_default();
    match serde_json::from_slice::<Map<String, Value>>(&body) {
        Ok(members) => members.iter().for_each(|(name, value)| {
            take(name, value.as_str().unwrap_or_default());
        }),
        Err(_) => form_urlencoded::parse(&body).for_each(|(name, value)| take(&name, &value)),
    }
    let authorization = request.headers.text("authorization").unwrap_or_default();
    take("authorization", authorization.split_once(' ').map_or("", |(_, rest)| rest));
    found
}

fn members(
    shapes: &[(String, crate::model::template::Shape)],
    scope: &Scope<'_>,
) -> Result<Map<String, Value>, Fault> {
    let mut map = Map::new();
    for (name, shape) in shapes {
        if let Some(value) = template::evaluate(shape, scope)? {
            map.insert(name.clone(), value);
        }
    }
    Ok(map)
}

/// The bytes of a shared key.
pub fn key_bytes(text: &str, encoding: KeyEncoding) -> Result<Vec<u8>, Fault> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let read = match encoding {
        KeyEncoding::Utf8 => Some(text.as_bytes().to_vec()),
        KeyEncoding::Hex => hex::decode(text.trim()),
        KeyEncoding::Base64 => {
            let url: String = text.trim().trim_end_matches('=').replace('+', "-").replace('/', "_");
            URL_SAFE_NO_PAD.decode(url).ok()
        }
    };
    read.ok_or_else(|| Fault::new("the key is not written as `key_encoding` says"))
}
