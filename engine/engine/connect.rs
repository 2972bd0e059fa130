//! Signing in, from the call to the stored connection.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    auth::{self, TokenGrant},
    connect::{Parameters, begin_device, confirmed},
    engine::{
        accept, browser,
        call::ConnectCall,
        candidate::{Person, SignInCall, against_sandbox, candidate, require_client},
        connections,
        parts::Engine,
        sign_in::SignIn,
    },
    error::Error,
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        auth::{AuthMode, OAuth2},
        failure::Failure,
        name::ConnectionId,
    },
    sandbox::Server,
    store::{NewAccount, Store},
    view,
};

/// Signs in, proves it, and stores it.
pub async fn connect(
    engine: &Engine,
    call: ConnectCall,
    person: &dyn Person,
) -> Result<Result<view::Connection, Failure>, Error> {
    let id = ConnectionId::parse(&call.connection)?;
    let loaded = engine.catalog().integration(&call.integration)?;
    let loaded = if call.sandbox { loaded.sandbox()? } else { loaded.live()? };
    // It plays until the sign-in is over.
    let server =
        if call.sandbox { Some(accept::start_sandbox(engine, &loaded).await?) } else { None };
    let integration = match &server {
        Some(server) => Arc::new(against_sandbox(&loaded, &server.base_url())),
        None => loaded,
    };
    require_client(&integration)?;
    // A store that cannot be used is met before anybody is asked for anything.
    let store = engine.store().await?;
    let key = AccountKey { integration: integration.name.clone(), id };
    let old = store.accounts.get(&key).await?;
    let known = match &old {
        Some(old) => known_values(store, old).await,
        None => Map::new(),
    };
    let about = SignInCall { call: &call, known, now: engine.clock().now() };
    let mut candidate = candidate(&integration, about, person).await?;
    if let Some(server) = &server {
        candidate.secrets.credentials.fields = accept::sandbox_credentials(server).fields;
    }
    let scopes = call.scopes.clone().or_else(|| integration.oauth_scopes.clone());
    let usual = || integration.blueprint.auth.mode.default_scopes().to_vec();
    let parameters = Parameters {
        scopes: scopes.unwrap_or_else(usual),
        connection_config: candidate.account.connection_config.clone(),
        metadata: candidate.account.metadata.clone(),
        sandbox: server.as_ref().map(Server::base_url),
    };
    let sign_in = SignIn::new(engine, integration, candidate, parameters).await?;
    let mode = &sign_in.integration.blueprint.auth.mode;
    if matches!(mode, AuthMode::OAuth1(_)) || matches!(mode, AuthMode::OAuth2(_)) && !call.device {
        return browser::sign_in(&sign_in, &call, person).await;
    }
    let proven = match here(&sign_in, person).await {
        Ok(signed) => sign_in.prove(signed).await?,
        Err(failure) => Err(failure),
    };
    let connection = match proven {
        Ok(connection) => connection,
        Err(failure) => return Ok(Err(failure)),
    };
    // A refresh of older tokens may be under way: what a person just did wins.
    let new = NewAccount { connection, replace: true };
    let stored = store.accounts.add_many(vec![new]).await?.pop();
    Ok(Ok(stored.ok_or_else(connections::nothing_stored)??.into()))
}

/// The values of a connection that is signed in again. Those that do not open are asked for anew.
async fn known_values(store: &Store, old: &Account) -> Map<String, Value> {
    let sealed = old.sealed_values().next().is_some();
    let opened = if sealed { auth::open(store, &old.key()).await.ok().flatten() } else { None };
    let none = Credentials::default();
    auth::values(old, opened.as_ref().map_or(&none, |opened| &opened.secrets.credentials))
}

/// A sign-in that no browser comes back from.
async fn here(sign_in: &SignIn<'_>, person: &dyn Person) -> Result<Connection, Failure> {
    match &sign_in.integration.blueprint.auth.mode {
        AuthMode::OAuth2(oauth) => device(sign_in, oauth, person).await,
        AuthMode::ClientCredentials(_) | AuthMode::Session(_) | AuthMode::Jwt(_)
            if sign_in.parameters.sandbox.is_none() =>
        {
            let request = sign_in.request(&sign_in.candidate);
            let outcome = auth::ask(request, TokenGrant::Stored).await;
            sign_in.granted(outcome, sign_in.candidate.clone()).await
        }
        AuthMode::None
        | AuthMode::ApiKey
        | AuthMode::Basic { .. }
        | AuthMode::OAuth1(_)
        | AuthMode::ClientCredentials(_)
        | AuthMode::Session(_)
        | AuthMode::Jwt(_)
        | AuthMode::AwsSigv4(_)
        | AuthMode::Signature(_) => Ok(sign_in.candidate.clone()),
    }
}

async fn device(
    sign_in: &SignIn<'_>,
    oauth: &OAuth2,
    person: &dyn Person,
) -> Result<Connection, Failure> {
    let request = sign_in.request(&sign_in.candidate);
    let device = begin_device(request, oauth, &sign_in.parameters.scopes).await?;
    let complete = device.verification_uri_complete.as_deref();
    person.confirm(&device.user_code, &device.verification_uri, complete);
    let outcome = confirmed(request, &device, &**sign_in.engine.clock()).await?;
    sign_in.granted(outcome, sign_in.candidate.clone()).await
}
