//! Grants → tokens: one place for the first token, for every refresh, and for sessions.

use serde_json::{Map, Value, json};

use crate::{
    auth::{
        answer::{self, NoToken, Seen, TokenAnswer},
        request::{self, Grant},
        scope::{SignInScope, back},
        send::{AuthResponse, TokenOutcome, TokenRequest, send},
    },
    model::{
        auth::{
            AnswerMap, AuthAccept, AuthMode, AuthRequest, ClientCredentials, OAuth2, Session,
            TokenEndpoint,
        },
        secret::Secret,
        sign::Assertion,
        time::Timestamp,
    },
    template::{Fault, Scope},
};

/// What tokens are asked for with.
#[derive(Debug, Clone, Copy)]
pub enum TokenGrant<'a> {
    /// A code that the browser brought (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
    Code {
        /// The code.
        code: &'a str,
        /// Of PKCE.
        verifier: Option<&'a Secret>,
        /// As it was when the browser was sent off.
        redirect_uri: &'a str,
        /// All parameters of the callback.
        callback: &'a Value,
    },
    /// The code of a device (RFC 8628, section 3.4).
    Device(&'a str),
    /// What the connection holds: its refresh token, or what the user entered.
    Stored,
}

/// Asks for tokens.
pub async fn ask(with: TokenRequest<'_>, ask: TokenGrant<'_>) -> TokenOutcome {
    let result = match &with.integration.blueprint.auth.mode {
        AuthMode::OAuth2(oauth) => oauth2(with, oauth, ask).await,
        AuthMode::ClientCredentials(cc) => client_credentials(with, cc).await,
        AuthMode::Session(session) => log_in(with, session).await,
        AuthMode::Jwt(assertion) => self_signed(with, assertion),
        AuthMode::None
        | AuthMode::ApiKey
        | AuthMode::Basic { .. }
        | AuthMode::OAuth1(_)
        | AuthMode::AwsSigv4(_)
        | AuthMode::Signature(_) => Err(Fault::new("this API knows no refresh")),
    };
    result.unwrap_or_else(|fault| TokenOutcome::Impossible { reason: fault.message })
}

async fn oauth2(
    with: TokenRequest<'_>,
    oauth: &OAuth2,
    ask: TokenGrant<'_>,
) -> Result<TokenOutcome, Fault> {
    let held = with.connection.credential("refresh_token");
    let grant = match ask {
        TokenGrant::Code { code, verifier, redirect_uri, callback } => {
            let mut params = vec![
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", redirect_uri),
            ];
            params.extend(verifier.map(|verifier| ("code_verifier", verifier.expose())));
            Grant { params, url: None, further: None, callback }
        }
        TokenGrant::Device(code) => {
            let kind = "urn:ietf:params:oauth:grant-type:device_code";
            let params = vec![("grant_type", kind), ("device_code", code)];
            Grant { params, url: None, further: None, callback: &Value::Null }
        }
        TokenGrant::Stored => {
            let token = held.map_or("", Secret::expose);
            let params = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
            let further = oauth.refresh_params.as_deref();
            let url = oauth.refresh_url.as_ref();
            Grant { params, url, further, callback: &Value::Null }
        }
    };
    let granted = from_endpoint(with, &oauth.token, &grant).await?;
    let refreshes = matches!(ask, TokenGrant::Stored);
    let exchange = oauth.exchange.as_ref().filter(|_| !(refreshes && oauth.exchange_once));
    match (exchange, granted) {
        (Some(exchange), TokenOutcome::Tokens(first)) => {
            let spent_for = first.refresh_token.clone().filter(|_| refreshes);
            let traded = trade(with, exchange, &oauth.token.answer, *first).await;
            Ok(if refreshes { spent(traded, spent_for) } else { traded? })
        }
        (_, granted) => Ok(granted),
    }
}

/// What comes of a refresh whose first answer was good: that is never asked for again with the
/// token that it was bought with, and a new refresh token is kept whatever came after it.
fn spent(traded: Result<TokenOutcome, Fault>, rotated: Option<Secret>) -> TokenOutcome {
    let traded = traded.unwrap_or_else(|fault| TokenOutcome::Impossible { reason: fault.message });
    match (traded, rotated) {
        (TokenOutcome::NotNow { reason, wait, .. }, None) => {
            TokenOutcome::NotNow { reason, wait, lost: false }
        }
        (traded @ (TokenOutcome::Tokens(_) | TokenOutcome::Rotated { .. }), _) | (traded, None) => {
            traded
        }
        (TokenOutcome::NotNow { reason, wait, .. }, Some(refresh_token)) => {
            TokenOutcome::Rotated { refresh_token, reason, wait }
        }
        (traded, Some(refresh_token)) => {
            let reason = traded.into_failure().message;
            TokenOutcome::Rotated { refresh_token, reason, wait: None }
        }
    }
}

/// Asks the vendor when the access token of a connection ends, where the blueprint names a way and
/// the token answer did not say (RFC 7662, section 2.2). An endpoint that does not say leaves it
/// open. To be asked once the tokens are where they cannot be lost.
pub async fn introspect(with: TokenRequest<'_>) -> Option<Timestamp> {
    let AuthMode::OAuth2(oauth) = &with.integration.blueprint.auth.mode else { return None };
    let introspect = oauth.introspect.as_ref()?;
    if with.connection.secrets.credentials.expires_at.is_some() {
        return None;
    }
    let roots = SignInScope::new(with.integration, with.connection, with.now);
    let request = request::own_request(introspect, &roots, &json!({}));
    let answer = send(with, &request.ok()?, introspect.accept, &[]).await.ok()?;
    let ends = answer.body.get("exp").and_then(Value::as_i64).filter(|exp| *exp > 0)?;
    Some(Timestamp(ends.saturating_mul(1000)))
}

async fn client_credentials(
    with: TokenRequest<'_>,
    cc: &ClientCredentials,
) -> Result<TokenOutcome, Fault> {
    let scopes = with.integration.oauth_scopes.as_ref().unwrap_or(&cc.default_scopes);
    let scope = scopes.join(&cc.scope_separator);
    let mut params = vec![("grant_type", "client_credentials")];
    if !scope.is_empty() {
        params.push(("scope", scope.as_str()));
    }
    let grant = Grant { params, url: None, further: None, callback: &Value::Null };
    from_endpoint(with, &cc.token, &grant).await
}

async fn from_endpoint(
    with: TokenRequest<'_>,
    endpoint: &TokenEndpoint,
    grant: &Grant<'_>,
) -> Result<TokenOutcome, Fault> {
    let roots = SignInScope::new(with.integration, with.connection, with.now);
    let call = request::token_request(endpoint, grant, &roots)?;
    let with = TokenRequest { secrets: &call.secrets, ..with };
    let answered = send(with, &call.request, AuthAccept::Auto, &endpoint.answer.responses).await;
    let answer = match answered {
        Ok(answer) => answer,
        Err(granted) => return Ok(granted),
    };
    if let Some(reason) = foreign_type(endpoint, &answer.body) {
        if !is_stored(with) {
            return Ok(TokenOutcome::NotNow { reason, wait: None, lost: false });
        }
        tracing::warn!(reason, "the new token is kept: the one before it was spent for it");
    }
    let scope = roots.scope().with("callback", grant.callback);
    Ok(read(with, &endpoint.answer, &answer, scope))
}

/// Why a token is not one that requests carry as `Bearer`, or as the blueprint knows it (RFC 6749,
/// section 7.1). Vendors that name no type mean `Bearer`.
fn foreign_type(endpoint: &TokenEndpoint, body: &Value) -> Option<String> {
    let kind = body.get("token_type").and_then(Value::as_str).filter(|kind| !kind.is_empty())?;
    let known = endpoint.token_types.iter().map(String::as_str).chain(["bearer"]);
    let foreign = !{ known }.any(|known| known.eq_ignore_ascii_case(kind));
    foreign.then(|| {
        "the token is of another type than `Bearer`, and the blueprint does not name it under \
         `token_types`"
            .to_owned()
    })
}

/// Whether what is asked with belongs to a connection that is stored: what it spends is gone.
fn is_stored(with: TokenRequest<'_>) -> bool {
    with.connection.account.number != 0
}

/// Trades the first token for the lasting one; what the second answer lacks, the first one gives.
async fn trade(
    with: TokenRequest<'_>,
    exchange: &AuthRequest,
    map: &AnswerMap,
    first: TokenAnswer,
) -> Result<TokenOutcome, Fault> {
    let mut roots = SignInScope::new(with.integration, with.connection, with.now);
    roots.put("access_token", &first.access_token);
    if let Some(token) = &first.refresh_token {
        roots.put("refresh_token", token);
    }
    let request = request::own_request(exchange, &roots, &json!({}))?;
    let new = [Some(first.access_token.clone()), first.refresh_token.clone()];
    let new: Vec<Secret> = new.into_iter().flatten().collect();
    let with = TokenRequest { secrets: &new, ..with };
    let answer = match send(with, &request, exchange.accept, &map.responses).await {
        Ok(answer) => answer,
        Err(granted) => return Ok(granted),
    };
    let granted = read(with, map, &answer, roots.scope());
    let TokenOutcome::Tokens(mut last) = granted else { return Ok(granted) };
    last.refresh_token = last.refresh_token.or(first.refresh_token);
    last.scopes = last.scopes.or(first.scopes);
    let mut saved = first.saved;
    saved.extend(std::mem::take(&mut last.saved));
    last.saved = saved;
    Ok(TokenOutcome::Tokens(last))
}

/// A session: by its refresh token, or from the beginning.
async fn log_in(with: TokenRequest<'_>, session: &Session) -> Result<TokenOutcome, Fault> {
    let held = with.connection.credential("refresh_token").is_some_and(|token| !token.is_empty());
    if held && !session.refresh_steps.is_empty() {
        let granted = steps(with, session, &session.refresh_steps).await?;
        // What the user entered may still do.
        let TokenOutcome::Dead { reason } = granted else { return Ok(granted) };
        tracing::debug!(reason, "the session begins anew");
    }
    steps(with, session, &session.steps).await
}

async fn steps(
    with: TokenRequest<'_>,
    session: &Session,
    requests: &[AuthRequest],
) -> Result<TokenOutcome, Fault> {
    let mut roots = SignInScope::new(with.integration, with.connection, with.now);
    let mut secrets = Vec::new();
    if let Some(assertion) = &session.assertion {
        let signed = roots.sign(assertion, &[])?;
        roots.put("assertion", &signed);
        secrets.push(signed);
    }
    let with = TokenRequest { secrets: &secrets, ..with };
    let mut records = Value::Object(Map::new());
    let mut last = None;
    for request in requests {
        let sent = request::own_request(request, &roots, &records)?;
        let answer = match send(with, &sent, request.accept, &session.answer.responses).await {
            Ok(answer) => answer,
            Err(granted) => return Ok(granted),
        };
        if let Some(map) = records.as_object_mut() {
            map.insert(request.id.clone(), answer.record());
        }
        last = Some(answer);
    }
    let Some(last) = last else { return Err(Fault::new("the session has no steps")) };
    let scope = roots.scope().with("steps", &records);
    Ok(read(with, &session.answer, &last, scope))
}

/// `JWT`: nobody is asked.
fn self_signed(with: TokenRequest<'_>, assertion: &Assertion) -> Result<TokenOutcome, Fault> {
    let roots = SignInScope::new(with.integration, with.connection, with.now);
    Ok(TokenOutcome::Tokens(Box::new(TokenAnswer {
        access_token: roots.sign(assertion, &[])?,
        refresh_token: None,
        further: Vec::new(),
        expires_at: Some(with.now.plus(assertion.lifetime.saturating_sub(back(assertion)))),
        scopes: None,
        saved: Map::new(),
        raw: Secret::new("{}".to_owned()),
    })))
}

/// What an accepted answer says. One without tokens is all that there is: what was spent for it is
/// not sent again.
fn read(
    with: TokenRequest<'_>,
    map: &AnswerMap,
    answer: &AuthResponse,
    scope: Scope<'_>,
) -> TokenOutcome {
    if answer.body.is_null() && map.access_token.is_none() {
        let reason = format!(
            "the endpoint answered {} with something that is not a token answer",
            answer.status
        );
        return TokenOutcome::NotNow { reason, wait: None, lost: false };
    }
    let scope = scope.with("status", &answer.status).with("headers", &answer.headers);
    let spent = is_stored(with);
    let seen = Seen { spent, body: &answer.body, scope };
    match answer::tokens(map, &seen, with.now) {
        Ok(tokens) => TokenOutcome::Tokens(Box::new(tokens)),
        Err(NoToken { reason, refresh_token: Some(refresh_token) }) if spent => {
            TokenOutcome::Rotated { refresh_token, reason, wait: None }
        }
        Err(NoToken { reason, .. }) => TokenOutcome::NotNow { reason, wait: None, lost: false },
    }
}
