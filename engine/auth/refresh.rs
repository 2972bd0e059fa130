//! The refresh-token grant (RFC 6749, section 6): one request, and what came of it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    auth::{
        answer::{self, TokenAnswer},
        apply::append_query,
        held::Held,
    },
    model::{
        auth::{ClientAuth, OAuth2, TokenFormat},
        blueprint::{Arrays, Integration},
        connection::Connection,
        http::{Authorized, Headers, Method, Request},
        rule::OutcomeKind,
        secret::Secret,
        time::Timestamp,
    },
    policy::classify::{Answer, classify_token},
    template::{self, Fault, Scope},
    wire::Wire,
};

/// Of one token request, everything included.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// A token answer is small.
const MAX_ANSWER: u64 = 1 << 20;

/// What came of a refresh.
pub enum Refreshed {
    /// New tokens.
    Tokens(TokenAnswer),
    /// No answer, or one that says "later": try again after a while.
    NotNow {
        /// For people.
        reason: String,
        /// What the endpoint asked for.
        wait: Option<Duration>,
        /// The request may have been processed: a rotating token may be gone.
        sent: bool,
    },
    /// A person has to sign in again.
    Dead {
        /// The endpoint's words.
        reason: String,
    },
    /// The files do not allow to ask at all.
    Impossible {
        /// For people.
        reason: String,
    },
}

/// Asks for new tokens, once.
pub async fn refresh(
    wire: &dyn Wire,
    integration: &Integration,
    connection: &Connection,
    now: Timestamp,
) -> Refreshed {
    let crate::model::auth::AuthMode::OAuth2(oauth) = &integration.blueprint.auth.mode else {
        return Refreshed::Impossible { reason: "this API knows no refresh".to_owned() };
    };
    let request = match request(oauth, integration, connection, now) {
        Ok(request) => request,
        Err(fault) => return Refreshed::Impossible { reason: fault.message },
    };
    let response = match wire.send(&request).await {
        Ok(response) => response,
        Err(error) => {
            return Refreshed::NotNow {
                reason: error.to_string(),
                wait: None,
                sent: error.was_sent(),
            };
        }
    };
    let body = answer::body(&response);
    let shown = body.clone().unwrap_or(Value::Null);
    let scope = Scope::new(now);
    let outcome = classify_token(
        &Answer { status: response.status, headers: &response.headers, body: &shown, scope },
        &oauth.token_responses,
        now,
    );
    let words = || {
        let text = body.as_ref().and_then(answer::error_text);
        text.unwrap_or_else(|| format!("the token endpoint answered {}", response.status))
    };
    match outcome.kind {
        OutcomeKind::Ok => match answer::tokens(&shown, now, oauth.expires_in) {
            Ok(tokens) => Refreshed::Tokens(tokens),
            Err(reason) => Refreshed::NotNow { reason: reason.to_owned(), wait: None, sent: true },
        },
        OutcomeKind::Reauthorize => Refreshed::Dead { reason: words() },
        OutcomeKind::Error if answer::is_terminal(&shown) => Refreshed::Dead { reason: words() },
        OutcomeKind::Retry | OutcomeKind::RateLimited | OutcomeKind::Refresh => {
            // A gateway's 5xx does not tell whether the endpoint behind it has acted.
            let sent = response.status >= 500;
            Refreshed::NotNow { reason: words(), wait: outcome.wait, sent }
        }
        OutcomeKind::Error => Refreshed::NotNow { reason: words(), wait: None, sent: false },
    }
}

/// The request, credentials on it.
fn request(
    oauth: &OAuth2,
    integration: &Integration,
    connection: &Connection,
    now: Timestamp,
) -> Result<Authorized, Fault> {
    let held = Held::new(connection.version, &connection.credentials, integration);
    let entry = integration.root();
    let scope = Scope::new(now)
        .with("connection", &connection.values)
        .with("integration", &entry)
        .with("credentials", held.root());
    let url = template::base_url(oauth.refresh_url.as_ref().unwrap_or(&oauth.token_url), &scope)?;
    let mut url =
        Url::parse(&url).map_err(|error| fault(format!("`token_url` is no URL: {error}")))?;
    let mut params = Map::new();
    params.insert("grant_type".to_owned(), "refresh_token".into());
    let token = connection.credentials.fields.get("refresh_token").map_or("", Secret::expose);
    params.insert("refresh_token".to_owned(), token.into());
    for (name, shape) in oauth.refresh_params.as_ref().unwrap_or(&oauth.token_params) {
        match template::evaluate(shape, &scope)? {
            Some(value) => params.insert(name.clone(), value),
            None => params.remove(name),
        };
    }
    let mut headers: Headers = [("accept", "application/json")].into_iter().collect();
    for (name, template) in &oauth.token_headers {
        if let Some(value) = template::header(template, &scope)? {
            headers.set(name, value);
        }
    }
    identify(oauth.client_auth, integration, &mut params, &mut headers);
    let params = Value::Object(params);
    let body = match oauth.body_format {
        TokenFormat::Form => {
            headers.set("content-type", "application/x-www-form-urlencoded".to_owned());
            Some(Bytes::from(template::form(&params, Arrays::Repeat)?))
        }
        TokenFormat::Json => {
            headers.set("content-type", "application/json".to_owned());
            Some(Bytes::from(params.to_string()))
        }
        TokenFormat::Query => {
            append_query(&mut url, &template::form(&params, Arrays::Repeat)?);
            None
        }
    };
    Ok(Authorized::new(Request {
        method: Method::Post,
        url,
        headers,
        body,
        timeout: Some(TIMEOUT),
        max_response: MAX_ANSWER,
    }))
}

/// Shows who the client is (RFC 6749, section 2.3.1).
fn identify(
    how: ClientAuth,
    integration: &Integration,
    params: &mut Map<String, Value>,
    headers: &mut Headers,
) {
    let id = integration.oauth_client_id.as_deref().unwrap_or_default();
    let secret = integration.oauth_client_secret.as_ref().map_or("", Secret::expose);
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut basic = |id: &str, secret: &str| {
        headers
            .set("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
    };
    match how {
        ClientAuth::Basic => basic(&encode(id), &encode(secret)),
        ClientAuth::BasicRaw => basic(id, secret),
        ClientAuth::None => {
            params.insert("client_id".to_owned(), id.into());
        }
        ClientAuth::Body => {
            params.insert("client_id".to_owned(), id.into());
            if !secret.is_empty() {
                params.insert("client_secret".to_owned(), secret.into());
            }
        }
    }
}

fn fault(message: String) -> Fault {
    Fault { message, from_input: false }
}
