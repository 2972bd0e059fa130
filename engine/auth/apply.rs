//! Puts credentials on a request.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use url::Url;

use crate::{
    auth::{
        credentials::OpenCredentials,
        signing::{self, held},
    },
    model::{
        auth::AuthMode,
        blueprint::{Blueprint, Requests},
        http::{AUTHORIZATION, Authorized, Body, Fields, HeaderValue, Request},
    },
    policy::query,
    template::{self, Fault, Scope},
};

/// The request with the blueprint's credentials on it: headers and parameters whose templates
/// read `credentials`, and `authorization` of BASIC. `scope` holds `connection`, `integration`.
pub fn authorize(
    request: &Request,
    blueprint: &Blueprint,
    held: &OpenCredentials,
    scope: &Scope<'_>,
) -> Result<Authorized, Fault> {
    let on = On { blueprint, credentials: held.root(), signer: Some(held) };
    on.put(request.clone(), scope).map(Authorized::new)
}

/// The request as it is, for a host that must not see credentials.
pub fn bare(request: &Request) -> Authorized {
    Authorized::new(request.clone())
}

/// The request as a person may see it, with credentials that are all masked.
pub fn preview(
    request: Request,
    blueprint: &Blueprint,
    masked: &OpenCredentials,
    scope: &Scope<'_>,
) -> Result<Request, Fault> {
    let on = On { blueprint, credentials: masked.root(), signer: None };
    let mut request = on.put(request, scope)?;
    let shown = match blueprint.auth.mode {
        AuthMode::Basic { .. } => Some("Basic ***"),
        AuthMode::OAuth1(_) => Some("OAuth ***"),
        AuthMode::AwsSigv4(_) => Some("AWS4-HMAC-SHA256 ***"),
        AuthMode::None
        | AuthMode::ApiKey
        | AuthMode::OAuth2(_)
        | AuthMode::ClientCredentials(_)
        | AuthMode::Session(_)
        | AuthMode::Jwt(_)
        | AuthMode::Signature(_) => None,
    };
    if let Some(shown) = shown {
        request.headers.insert(AUTHORIZATION, HeaderValue::from_static(shown));
    }
    if let Some(query) = request.url.query() {
        let readable = query.replace("%2A%2A%2A", "***");
        request.url.set_query(Some(&readable));
    }
    Ok(request)
}

/// What is put on, and by which rules.
struct On<'a> {
    blueprint: &'a Blueprint,
    credentials: &'a Value,
    /// Gives the nonces of signatures; without one nothing is signed, and signatures are shown as
    /// `***`.
    signer: Option<&'a OpenCredentials>,
}

impl On<'_> {
    fn put(&self, mut request: Request, scope: &Scope<'_>) -> Result<Request, Fault> {
        let scope = scope.clone().with("credentials", self.credentials);
        let Requests { params, arrays, .. } = &*self.blueprint.requests;
        let secret: Vec<_> =
            params.iter().filter(|(_, shape)| shape.is_secret()).cloned().collect();
        if !secret.is_empty() {
            let added = template::query(&secret, *arrays, &scope)?;
            query::replace(&mut request.url, &added);
        }
        self.merge_body(&mut request, &scope)?;
        let mode = &self.blueprint.auth.mode;
        let signature = match (mode, self.signer) {
            (AuthMode::Signature(own), Some(held)) => {
                Some(signing::own(&request, own, (&scope, &held.nonce()?))?)
            }
            (AuthMode::Signature(_), None) => {
                Some(json!({"value": "***", "timestamp": "***", "nonce": "***"}))
            }
            _ => None,
        };
        {
            let mut scope = scope.clone();
            if let Some(signature) = &signature {
                scope = scope.with("signature", signature);
            }
            let headers = &self.blueprint.requests.headers;
            for (name, template) in headers.iter().filter(|(_, template)| template.is_secret()) {
                if let Some(value) = template::header(template, &scope)? {
                    request.headers.insert(name, value);
                }
            }
        }
        match (mode, self.signer) {
            (AuthMode::Basic { username, password }, _) => {
                // Either may be empty, where the schema does not require it (RFC 7617, section 2).
                let mut scope = scope;
                scope.lenient = true;
                let user = template::text(username, &scope)?.unwrap_or_default();
                let password = template::text(password, &scope)?.unwrap_or_default();
                let pair = STANDARD.encode(format!("{user}:{password}"));
                request.headers.insert(AUTHORIZATION, format!("Basic {pair}").try_into()?);
            }
            (AuthMode::OAuth1(oauth), Some(held)) => {
                signing::oauth1(&mut request, oauth, (&scope, &held.nonce()?))?;
            }
            (AuthMode::AwsSigv4(aws), Some(_)) => signing::sigv4(&mut request, aws, &scope)?,
            _ => {}
        }
        Ok(request)
    }

    /// `requests.json` and `requests.form`: members that every body of that kind carries.
    fn merge_body(&self, request: &mut Request, scope: &Scope<'_>) -> Result<(), Fault> {
        let Requests { json, form, arrays, .. } = &*self.blueprint.requests;
        let kind = request.headers.text("content-type").unwrap_or_default();
        if !json.is_empty() && kind.starts_with("application/json") {
            let body = held(request)?;
            let body = if body.is_empty() { b"{}" } else { body.as_ref() };
            if let Ok(Value::Object(mut members)) = serde_json::from_slice(body) {
                for (name, shape) in json {
                    if let Some(value) = template::evaluate(shape, scope)? {
                        members.entry(name.as_str()).or_insert(value);
                    }
                }
                request.body = Body::Bytes(Value::Object(members).to_string().into());
            }
        }
        if !form.is_empty() && kind.starts_with("application/x-www-form-urlencoded") {
            let added = template::query(form, *arrays, scope)?;
            let body = held(request)?;
            let body = String::from_utf8_lossy(&body);
            let joined = if body.is_empty() { added } else { format!("{body}&{added}") };
            request.body = Body::Bytes(joined.into());
        }
        Ok(())
    }
}

/// The blueprint's base URL for one connection; it may hold credentials (an account's id).
pub fn base_url(
    blueprint: &Blueprint,
    held: &OpenCredentials,
    scope: &Scope<'_>,
) -> Result<Url, Fault> {
    let scope = scope.clone().with("credentials", held.root());
    let text = template::base_url(&blueprint.requests.base_url, &scope)?;
    Url::parse(&text).map_err(|error| Fault {
        message: format!("`base_url` is not a URL: {error}"),
        from_input: false,
    })
}
