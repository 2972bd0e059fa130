//! One request of signing in, and what its answer means.

use std::time::Duration;

use oauth2::{DeviceCodeErrorResponse, DeviceCodeErrorResponseType};
use serde_json::{Value, json};
use url::Url;

use crate::{
    auth::{
        answer::{self, TokenAnswer},
        credentials::nonce,
        request,
        scope::SignInScope,
        xml,
    },
    model::{
        account::Connection,
        auth::{AuthAccept, AuthRequest, OAuth1},
        blueprint::Integration,
        failure::{Code, Failure},
        http::{Authorized, Fields, Response},
        rule::{OutcomeKind, Rule},
        secret::Secret,
        time::Timestamp,
    },
    policy::{
        charset,
        classify::{Answer, classify_token},
    },
    sign::oauth1,
    template::{self, Fault},
    wire::Wire,
};

/// What came of it.
pub enum TokenOutcome {
    /// New tokens.
    Tokens(Box<TokenAnswer>),
    /// No answer, or one that says "later": try again after a while.
    NotNow {
        /// For people.
        reason: String,
        /// What the endpoint asked for.
        wait: Option<Duration>,
        /// The request may have been processed, and its answer did not reach us: a rotating token
        /// may be gone.
        lost: bool,
    },
    /// A person has to sign in again.
    Dead {
        /// The endpoint's words.
        reason: String,
    },
    /// The operator has to mend the entry: nothing is wrong with the connection.
    Refused {
        /// The endpoint's words.
        reason: String,
    },
    /// The files do not allow to ask at all.
    Impossible {
        /// For people.
        reason: String,
    },
    /// The answer gave a new refresh token, and no access token that can be used: the one before it
    /// is spent.
    Rotated {
        /// To be kept.
        refresh_token: Secret,
        /// For people.
        reason: String,
        /// What the endpoint asked for.
        wait: Option<Duration>,
    },
    /// A device's code is not confirmed yet; RFC 8628, section 3.5: `true` is `slow_down`.
    Pending(bool),
}

/// The ends of a conversation.
#[derive(Clone, Copy)]
pub struct TokenRequest<'a> {
    /// The network.
    pub wire: &'a dyn Wire,
    /// The entry.
    pub integration: &'a Integration,
    /// Whose credentials.
    pub connection: &'a Connection,
    /// The time.
    pub now: Timestamp,
    /// What else must not be shown of its answers.
    pub secrets: &'a [Secret],
}

impl TokenOutcome {
    /// For people who wait for it.
    pub fn into_failure(self) -> Failure {
        match self {
            Self::Dead { reason } => Failure::new(Code::Unauthorized, reason),
            Self::Refused { reason } => Failure::new(Code::Unauthorized, reason).with_hint(
                "the endpoint refuses the client: look at `oauth_client_id` and `oauth_client_secret`",
            ),
            Self::NotNow { reason, .. } | Self::Rotated { reason, .. } => {
                Failure::new(Code::ProviderError, reason)
            }
            Self::Impossible { reason } => Failure::new(Code::Template, reason),
            Self::Pending(_) | Self::Tokens(_) => {
                Failure::new(Code::ProviderError, "the endpoint answered another question")
            }
        }
    }
}

/// An accepted answer.
pub struct AuthResponse {
    /// `status`
    pub status: Value,
    /// `headers`
    pub headers: Value,
    /// `body`
    pub body: Value,
    cookies: String,
}

impl AuthResponse {
    /// `steps.<id>`
    pub fn record(&self) -> Value {
        json!({"status": self.status, "headers": self.headers, "body": self.body, "cookies": self.cookies})
    }
}

/// Sends one request of signing in and judges its answer.
pub async fn send(
    with: TokenRequest<'_>,
    request: &Authorized,
    accept: AuthAccept,
    rules: &[Rule],
) -> Result<AuthResponse, TokenOutcome> {
    let answer = match with.wire.send(request).await {
        Ok(answer) => answer.collect().await,
        Err(error) => Err(error),
    };
    let integration = with.integration.name.as_str();
    let connection = with.connection.account.id.as_str();
    let status = answer.as_ref().ok().map(|response| response.status);
    // Prints as method and host: neither the request nor its answer holds anything else to show.
    tracing::debug!(integration, connection, ?request, status, "a request of signing in");
    match answer {
        Ok(response) => judge(with, Heard { request, response: &response }, accept, rules),
        Err(error) => {
            let lost = error.was_sent();
            Err(TokenOutcome::NotNow { reason: error.to_string(), wait: None, lost })
        }
    }
}

/// An answer, and what it answers.
#[derive(Clone, Copy)]
struct Heard<'a> {
    request: &'a Authorized,
    response: &'a Response,
}

fn judge(
    with: TokenRequest<'_>,
    Heard { request, response }: Heard<'_>,
    accept: AuthAccept,
    rules: &[Rule],
) -> Result<AuthResponse, TokenOutcome> {
    let body = read_body(response, accept);
    let shown = body.clone().unwrap_or(Value::Null);
    let mut roots = SignInScope::new(with.integration, with.connection, with.now);
    with.secrets.iter().for_each(|secret| roots.conceal(secret.expose()));
    roots.hide_sent(request.open());
    let scope = roots.open_scope();
    let answer =
        Answer { status: response.status, headers: &response.headers, body: &shown, scope };
    let outcome = classify_token(&answer, rules, with.now);
    let error = body.as_ref().and_then(answer::error);
    let words = || {
        let text = error.as_ref().map(answer::error_text);
        let stated = || (!outcome.message.is_empty()).then(|| outcome.message.clone());
        let status = || match body {
            // Never followed: what was sent to it is secret.
            _ if (300..400).contains(&response.status) => format!(
                "the token endpoint answered {} and points elsewhere: put the address that is \
                 meant into the file",
                response.status
            ),
            Some(_) => format!("the token endpoint answered {}", response.status),
            None => format!(
                "the token endpoint answered {} with something that is no token answer",
                response.status
            ),
        };
        roots.credentials().hide(&text.or_else(stated).unwrap_or_else(status))
    };
    match (outcome.kind, error.as_ref().map(DeviceCodeErrorResponse::error)) {
        (OutcomeKind::Ok, _) => Ok(AuthResponse {
            status: response.status.into(),
            headers: response.headers.root(),
            body: shown,
            cookies: response.headers.cookies(),
        }),
        (_, Some(DeviceCodeErrorResponseType::AuthorizationPending)) => {
            Err(TokenOutcome::Pending(false))
        }
        (_, Some(DeviceCodeErrorResponseType::SlowDown)) => Err(TokenOutcome::Pending(true)),
        (OutcomeKind::Reauthorize, _) => Err(TokenOutcome::Dead { reason: words() }),
        (OutcomeKind::Retry | OutcomeKind::RateLimited | OutcomeKind::Refresh, _) => {
            // A gateway's 5xx does not tell whether the endpoint behind it has acted.
            let lost = response.status >= 500;
            Err(TokenOutcome::NotNow { reason: words(), wait: outcome.wait, lost })
        }
        (OutcomeKind::Error, _) if outcome.code == Code::Unauthorized => {
            Err(TokenOutcome::Refused { reason: words() })
        }
        (OutcomeKind::Error, _) => {
            Err(TokenOutcome::NotNow { reason: words(), wait: None, lost: false })
        }
    }
}

fn read_body(response: &Response, accept: AuthAccept) -> Option<Value> {
    let text = || charset::text(&response.headers, &response.body).ok();
    match accept {
        AuthAccept::Auto => answer::body(response),
        AuthAccept::Xml => xml::read(&text()?),
        AuthAccept::Text => Some(text()?.trim().into()),
    }
}

/// Sends one request of signing in that yields no tokens, and hands out its body.
pub async fn send_plain(with: TokenRequest<'_>, request: &AuthRequest) -> Result<Value, Failure> {
    let roots = SignInScope::new(with.integration, with.connection, with.now);
    let sent = request::own_request(request, &roots, &json!({}))
        .map_err(|fault| Failure::new(Code::Template, fault.message))?;
    match send(with, &sent, request.accept, &[]).await {
        Ok(heard) => Ok(heard.body),
        Err(granted) => Err(granted.into_failure()),
    }
}

/// A request of OAuth 1 that yields credentials.
pub struct Signed<'a> {
    /// Where it goes.
    pub url: Url,
    /// The temporary credentials, once there are some.
    pub token: Option<(&'a str, &'a Secret)>,
    /// `oauth_callback`, `oauth_verifier`.
    pub more: &'a [(&'a str, &'a str)],
}

/// Sends it, and hands out the fields of the answer (RFC 5849, sections 2.1 and 2.3).
pub async fn send_signed(
    with: TokenRequest<'_>,
    oauth: &OAuth1,
    ask: Signed<'_>,
) -> Result<Value, Failure> {
    let fault = |fault: Fault| Failure::new(Code::Template, fault.message);
    let roots = SignInScope::new(with.integration, with.connection, with.now);
    let realm = match &oauth.realm {
        Some(template) => template::text(template, &roots.scope()).map_err(fault)?,
        None => None,
    };
    let nonce = nonce().map_err(fault)?;
    let (consumer_key, consumer_secret) = roots.credentials().client();
    let signer = oauth1::Signer {
        method: oauth.signature_method,
        consumer_key,
        consumer_secret,
        token: ask.token.map(|(token, secret)| (token, secret.expose())),
        realm: realm.as_deref(),
        nonce: &nonce,
        timestamp: with.now.0.div_euclid(1000),
        more: ask.more,
    };
    let header = signer.header("POST", &ask.url, &[]);
    let request = request::signed(ask.url, header, &roots).map_err(fault)?;
    match send(with, &request, AuthAccept::Auto, &[]).await {
        Ok(heard) => Ok(heard.body),
        Err(granted) => Err(granted.into_failure()),
    }
}
