//! Requests of signing in: token requests by RFC 6749, and requests of a blueprint's own.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    auth::{credentials::nonce, scope::SignInScope},
    model::{
        action::Body,
        auth::{AuthRequest, ClientAuth, TokenEndpoint, TokenFormat},
        blueprint::Arrays,
        http::{
            ACCEPT, AUTHORIZATION, Authorized, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
            Method, Request,
        },
        secret::Secret,
        sign::Assertion,
        template::{Shape, Template},
    },
    policy::query,
    template::{self, Fault, Scope},
};

/// Of one token request, everything included.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// A token answer is small.
const MAX_ANSWER: u64 = 1 << 20;

/// What a token request says beside who asks.
pub struct Grant<'a> {
    /// `grant_type` and its companions.
    pub params: Vec<(&'static str, &'a str)>,
    /// Instead of the endpoint's own.
    pub url: Option<&'a Template>,
    /// Instead of the endpoint's own.
    pub further: Option<&'a [(String, Shape)]>,
    /// What templates of the answer see of the callback; `null` without one.
    pub callback: &'a Value,
}

/// Parameters that are secrets, or bought one.
const SECRET: [&str; 9] = [
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "password",
    "refresh_token",
    "subject_token",
];

/// A request, and what must not be shown of its answer although no connection holds it: an endpoint
/// may say back what it was sent.
pub struct TokenCall {
    /// Credentials on it.
    pub request: Authorized,
    /// Codes, verifiers, assertions.
    pub secrets: Vec<Secret>,
}

/// A token request.
pub fn token_request(
    endpoint: &TokenEndpoint,
    grant: &Grant<'_>,
    roots: &SignInScope,
) -> Result<TokenCall, Fault> {
    let scope = roots.scope();
    let mut url = whole_url(grant.url.unwrap_or(&endpoint.url), &scope)?;
    let mut params = Map::new();
    for (name, value) in &grant.params {
        params.insert((*name).to_owned(), (*value).into());
    }
    for (name, shape) in grant.further.unwrap_or(&endpoint.params) {
        match template::evaluate(shape, &scope)? {
            Some(value) => params.insert(name.clone(), value),
            None => params.remove(name),
        };
    }
    let mut headers = accepting("application/json");
    put_headers(&endpoint.headers, &scope, &mut headers)?;
    let client = Client { assertion: endpoint.assertion.as_ref(), roots, url: &url };
    client.identify(endpoint.client_auth, &mut params, &mut headers)?;
    let secret = |name: &&str| params.get(*name).and_then(Value::as_str);
    let secrets = SECRET.iter().filter_map(secret).map(|text| Secret::new(text.to_owned()));
    let secrets = secrets.collect();
    for (from, to) in &endpoint.rename {
        if let Some(value) = params.remove(from) {
            params.insert(to.clone(), value);
        }
    }
    let params = Value::Object(params);
    let body = match endpoint.format {
        TokenFormat::Form if endpoint.method != Method::GET => {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
            Some(Bytes::from(template::form(&params, Arrays::Repeat)?))
        }
        TokenFormat::Json if endpoint.method != Method::GET => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Some(Bytes::from(params.to_string()))
        }
        TokenFormat::Form | TokenFormat::Json | TokenFormat::Query => {
            query::append(&mut url, &template::form(&params, Arrays::Repeat)?);
            None
        }
    };
    let sent = Sent { method: endpoint.method.clone(), url, headers, body };
    Ok(TokenCall { request: sent.closed(roots), secrets })
}

/// A request of the blueprint's own. `steps`: the answers so far.
pub fn own_request(
    request: &AuthRequest,
    roots: &SignInScope,
    steps: &Value,
) -> Result<Authorized, Fault> {
    let scope = roots.scope().with("steps", steps);
    let mut url = whole_url(&request.url, &scope)?;
    query::append(&mut url, &template::query(&request.query, Arrays::Repeat, &scope)?);
    let mut headers = accepting("application/json, */*;q=0.5");
    let mut form = None;
    let mut body = None;
    match &request.body {
        Body::Empty | Body::Bytes(_) => {}
        Body::Json(shape) => {
            let value = template::evaluate(shape, &scope)?.unwrap_or(Value::Null);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            body = Some(Bytes::from(value.to_string()));
        }
        Body::Form(shape) => match template::evaluate(shape, &scope)? {
            Some(Value::Object(map)) => form = Some(map),
            Some(_) | None => return Err(Fault::new("`form` must be an object")),
        },
        Body::Text(template) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            body = template::text(template, &scope)?.map(Bytes::from);
        }
    }
    if let Some(how) = request.client_auth {
        let client = Client { assertion: None, roots, url: &url };
        client.identify(how, form.get_or_insert_default(), &mut headers)?;
    }
    if let Some(form) = form.filter(|form| !form.is_empty()) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        body = Some(Bytes::from(template::form(&Value::Object(form), Arrays::Repeat)?));
    }
    put_headers(&request.headers, &scope, &mut headers)?;
    let sent = Sent { method: request.method.clone(), url, headers, body };
    Ok(sent.closed(roots))
}

/// A request that its `Authorization` field is all of.
pub fn signed(url: Url, authorization: String, roots: &SignInScope) -> Result<Authorized, Fault> {
    let mut headers = accepting("*/*");
    headers.insert(AUTHORIZATION, authorization.try_into()?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let sent = Sent { method: Method::POST, url, headers, body: Some(Bytes::new()) };
    Ok(sent.closed(roots))
}

/// A whole URL of a blueprint.
pub fn whole_url(template: &Template, scope: &Scope<'_>) -> Result<Url, Fault> {
    let text = template::endpoint_url(template, scope)?;
    Url::parse(&text)
        .map_err(|error| Fault::new(format!("`{}` is not a URL: {error}", template.source)))
}

/// What is sent.
struct Sent {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Sent {
    fn closed(self, roots: &SignInScope) -> Authorized {
        let Self { method, url, headers, body } = self;
        Authorized::new(Request {
            method,
            url,
            headers,
            body: body.into(),
            coded: false,
            timeout: Some(TIMEOUT),
            silence: Some(TIMEOUT),
            max_response: MAX_ANSWER,
            route: roots.route().cloned(),
        })
    }
}

fn accepting(kinds: &'static str) -> HeaderMap {
    [(ACCEPT, HeaderValue::from_static(kinds))].into_iter().collect()
}

fn put_headers(
    given: &[(HeaderName, Template)],
    scope: &Scope<'_>,
    headers: &mut HeaderMap,
) -> Result<(), Fault> {
    for (name, template) in given {
        if let Some(value) = template::header(template, scope)? {
            headers.insert(name, value);
        }
    }
    Ok(())
}

/// Who asks.
struct Client<'a> {
    assertion: Option<&'a Assertion>,
    roots: &'a SignInScope,
    /// Of the endpoint: whom an assertion is for.
    url: &'a Url,
}

impl Client<'_> {
    /// Shows who the client is (RFC 6749, section 2.3.1; RFC 7523, section 2.2).
    fn identify(
        &self,
        how: ClientAuth,
        params: &mut Map<String, Value>,
        headers: &mut HeaderMap,
    ) -> Result<(), Fault> {
        let (id, secret) = self.roots.credentials().client();
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut basic = |id: &str, secret: &str| {
            let pair = STANDARD.encode(format!("{id}:{secret}"));
            headers.insert(AUTHORIZATION, format!("Basic {pair}").try_into()?);
            Ok::<_, Fault>(())
        };
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                params.insert(name.to_owned(), value.into());
            }
        };
        match how {
            ClientAuth::Basic => basic(&encode(id), &encode(secret))?,
            ClientAuth::BasicRaw => basic(id, secret)?,
            ClientAuth::None => put("client_id", id),
            ClientAuth::Body => {
                put("client_id", id);
                put("client_secret", secret);
            }
            ClientAuth::PrivateKeyJwt => {
                let Some(assertion) = self.assertion else {
                    return Err(Fault::new("`private_key_jwt` needs `assertion`"));
                };
                let usual = [
                    ("iss", id.to_owned()),
                    ("sub", id.to_owned()),
                    ("aud", self.url.as_str().to_owned()),
                    ("jti", nonce()?),
                ];
                let signed = self.roots.sign(assertion, &usual)?;
                put("client_id", id);
                put(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                );
                put("client_assertion", signed.expose());
            }
        }
        Ok(())
    }
}
