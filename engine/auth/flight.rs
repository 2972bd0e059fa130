//! One refresh of one connection: from "is it still needed?" to "it is stored".
//!
//! The order is what keeps refresh tokens: lease (a durable write, so a store that cannot be
//! written is met before the token is spent), read again, ask once, commit, and only then show
//! the new token to anybody.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{Either, select};

use crate::{
    auth::{
        answer::TokenAnswer,
        grant::{self, Ask},
        send::{Granted, Parties},
    },
    clock::Clock,
    model::{
        auth::AuthMode,
        blueprint::Integration,
        connection::{Connection, ConnectionStatus},
        failure::{Code, Failure},
        secret::Secret,
    },
    store::{self, Store},
    wire::Wire,
};

/// How long a lease lasts: longer than two token requests, so that it never ends under one.
const LEASE: Duration = Duration::from_mins(2);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(30);
/// Between looks at a lease that somebody else has.
const LOOK: Duration = Duration::from_millis(100);
/// How often a lost compare-and-swap is tried again.
const SWAPS: u32 = 8;

/// The world of a refresh.
pub struct World {
    /// Connections and leases.
    pub store: Arc<dyn Store>,
    /// The token endpoint.
    pub wire: Arc<dyn Wire>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who holds our leases; unique to this process.
    pub owner: String,
}

/// How a refresh ended.
pub enum Landing {
    /// What the store holds now, good to use.
    Stored(Box<Connection>),
    /// New tokens that could not be stored; the reason. They must not be lost.
    Unsaved(Box<Connection>, store::Error),
    /// Not now: the connection as it is, why, and what the endpoint asked for.
    Later(Box<Connection>, Failure, Option<Duration>),
    /// It cannot be used.
    Failed(Failure),
}

/// Refreshes unless `stale` is no longer what the store holds.
pub async fn fly(
    world: &World,
    integration: &Integration,
    (id, stale): (&str, &Secret),
    forced: bool,
) -> Landing {
    let key = format!("refresh/{}/{id}", integration.name);
    let mut looks = 0_u64;
    loop {
        let connection = match read(world, integration, id) {
            Ok(connection) => connection,
            Err(failure) => return Landing::Failed(failure),
        };
        if is_newer(&connection, stale) {
            return Landing::Stored(Box::new(connection));
        }
        if let Err(failure) = may_refresh(integration, &connection) {
            return Landing::Failed(failure);
        }
        // Another process was told "not now"; whoever asks for a refresh by hand means it.
        if let Some(until) = connection.refresh_retry_at.filter(|_| !forced)
            && world.clock.now() < until
        {
            let reason = connection.refresh_failure.as_deref().unwrap_or("it failed a moment ago");
            let mut failure = Failure::new(Code::ProviderError, reason.to_owned());
            failure.retry_at = Some(until);
            return Landing::Failed(failure);
        }
        match world.store.lease(&key, &world.owner, world.clock.now(), LEASE) {
            Ok(Some(_)) => break,
            Ok(None) if looks * 100 > LEASE.as_secs() * 1500 => {
                let failure = Failure::new(
                    Code::Timeout,
                    "another process refreshes this connection and does not finish",
                );
                return Landing::Later(Box::new(connection), failure, None);
            }
            Ok(None) => {
                looks += 1;
                world.clock.sleep(LOOK).await;
            }
            Err(error) => return Landing::Later(Box::new(connection), broken(&error), None),
        }
    }
    let landing = held(world, &key, leased(world, integration, id, stale)).await;
    if let Err(error) = world.store.release(&key, &world.owner) {
        tracing::warn!(%error, connection = id, "the refresh lease could not be given back");
    }
    landing
}

/// Does the work, and renews the lease as long as it takes: a session may have many steps.
async fn held(world: &World, key: &str, work: impl Future<Output = Landing>) -> Landing {
    let mut work = pin!(work);
    loop {
        match select(work, world.clock.sleep(RENEWAL)).await {
            Either::Left((landing, _)) => return landing,
            Either::Right(((), rest)) => {
                work = rest;
                if let Err(error) = world.store.lease(key, &world.owner, world.clock.now(), LEASE) {
                    tracing::warn!(%error, "the refresh lease could not be renewed");
                }
            }
        }
    }
}

/// The part under the lease.
async fn leased(world: &World, integration: &Integration, id: &str, stale: &Secret) -> Landing {
    // Whoever held the lease before us may have done the work.
    let connection = match read(world, integration, id) {
        Ok(connection) => connection,
        Err(failure) => return Landing::Failed(failure),
    };
    if is_newer(&connection, stale) {
        return Landing::Stored(Box::new(connection));
    }
    let ask = || {
        let (wire, now) = (&*world.wire, world.clock.now());
        grant::ask(Parties { wire, integration, connection: &connection, now }, Ask::Held)
    };
    let mut outcome = ask().await;
    if let Granted::NotNow { sent: true, wait: None, reason } = &outcome {
        // The answer may be lost after the endpoint rotated: one careful repeat, which endpoints
        // with a grace period accept.
        tracing::warn!(connection = id, reason, "the token answer was lost; asking once more");
        outcome = ask().await;
    }
    let later = |reason: &str| {
        Failure::new(Code::ProviderError, format!("the token could not be refreshed: {reason}"))
    };
    match outcome {
        Granted::Tokens(tokens) => keep(world, connection, &tokens),
        Granted::NotNow { reason, wait, .. } => {
            Landing::Later(Box::new(connection), later(&reason), wait)
        }
        Granted::Refused { reason } => {
            let failure = Failure { code: Code::Unauthorized, ..later(&reason) }
                .with_hint("the endpoint refuses the client: look at `oauth_client_id` and `oauth_client_secret` of the integration; the connection itself is kept");
            Landing::Later(Box::new(connection), failure, None)
        }
        Granted::Dead { reason } => bury(world, connection, &reason),
        Granted::Pending(_) => Landing::Later(Box::new(connection), later("not yet"), None),
        Granted::Impossible { reason } => Landing::Failed(Failure::new(
            Code::Template,
            format!("the token cannot be refreshed: {reason}"),
        )),
    }
}

/// Commits new tokens. A row that changed meanwhile keeps its changes, unless its credentials are
/// themselves newer: then they win; a row that is gone stays gone.
fn keep(world: &World, mut connection: Connection, tokens: &TokenAnswer) -> Landing {
    let presented = connection.credentials.fields.get("refresh_token").cloned();
    for _ in 0..SWAPS {
        let now = world.clock.now();
        renew(&mut connection, tokens);
        connection.status = ConnectionStatus::Active;
        connection.status_reason = None;
        connection.last_refreshed_at = Some(now);
        connection.refresh_failure = None;
        connection.refresh_retry_at = None;
        connection.updated_at = now;
        match world.store.update(&connection) {
            Ok(version) => {
                connection.version = version;
                return Landing::Stored(Box::new(connection));
            }
            Err(store::Error::Changed { .. }) => {}
            Err(error) => return Landing::Unsaved(Box::new(connection), error),
        }
        match world.store.connection(&connection.integration, &connection.id) {
            Ok(Some(row)) if row.credentials.fields.get("refresh_token") == presented.as_ref() => {
                connection = row;
            }
            Ok(Some(row)) => return Landing::Stored(Box::new(row)),
            Ok(None) => return Landing::Failed(gone(&connection.integration, &connection.id)),
            Err(error) => return Landing::Unsaved(Box::new(connection), error),
        }
    }
    let error = store::Error::Changed {
        integration: connection.integration.clone(),
        id: connection.id.clone(),
    };
    Landing::Unsaved(Box::new(connection), error)
}

/// Puts tokens into a connection; without a new refresh token the old one stays.
pub fn renew(connection: &mut Connection, tokens: &TokenAnswer) {
    let credentials = &mut connection.credentials;
    credentials.fields.insert("access_token".to_owned(), tokens.access_token.clone());
    if let Some(token) = &tokens.refresh_token {
        credentials.fields.insert("refresh_token".to_owned(), token.clone());
    }
    for (name, secret) in &tokens.further {
        credentials.fields.insert(name.clone(), secret.clone());
    }
    credentials.expires_at = tokens.expires_at;
    credentials.raw = Some(tokens.raw.clone());
    if let Some(values) = connection.values.as_object_mut() {
        values.extend(tokens.saved.clone());
    }
    if let Some(scopes) = &tokens.scopes {
        connection.scopes = Some(scopes.clone());
    }
}

/// The endpoint says that the grant is gone. If a sibling has stored another refresh token than
/// the one we presented, theirs is used and nobody is declared dead.
fn bury(world: &World, mut connection: Connection, reason: &str) -> Landing {
    for _ in 0..SWAPS {
        let presented = connection.credentials.fields.get("refresh_token").cloned();
        match world.store.connection(&connection.integration, &connection.id) {
            Ok(Some(row)) if row.credentials.fields.get("refresh_token") != presented.as_ref() => {
                return Landing::Stored(Box::new(row));
            }
            Ok(Some(row)) => connection = row,
            Ok(None) => return Landing::Failed(gone(&connection.integration, &connection.id)),
            Err(error) => return Landing::Failed(broken(&error)),
        }
        connection.status = ConnectionStatus::NeedsAuthorization;
        connection.status_reason = Some(reason.to_owned());
        connection.refresh_failure = Some(reason.to_owned());
        connection.updated_at = world.clock.now();
        match world.store.update(&connection) {
            Err(store::Error::Changed { .. }) => {}
            Ok(_) => break,
            Err(error) => {
                tracing::warn!(%error, connection = connection.id, "the connection could not be marked");
                break;
            }
        }
    }
    Landing::Failed(unauthorized(&connection, reason))
}

/// The connection as stored.
fn read(world: &World, integration: &Integration, id: &str) -> Result<Connection, Failure> {
    match world.store.connection(&integration.name, id) {
        Ok(Some(connection)) => Ok(connection),
        Ok(None) => Err(gone(&integration.name, id)),
        Err(error) => Err(broken(&error)),
    }
}

/// Whether the stored access token is another than the one that was found wanting.
fn is_newer(connection: &Connection, stale: &Secret) -> bool {
    connection.credentials.fields.get("access_token").is_some_and(|token| token != stale)
        && connection.status == ConnectionStatus::Active
}

/// Whether there is any point in asking the endpoint.
fn may_refresh(integration: &Integration, connection: &Connection) -> Result<(), Failure> {
    if connection.status != ConnectionStatus::Active {
        let reason = connection.status_reason.as_deref().unwrap_or("it was revoked");
        return Err(unauthorized(connection, reason));
    }
    let mode = &integration.blueprint.auth.mode;
    if let Some((field, variable)) = integration.missing.first() {
        let message =
            format!("the token has to be refreshed, and `{field}` needs the variable `{variable}`");
        let hint = format!("set `{variable}` in the environment or in `.env`");
        return Err(Failure::new(Code::Unauthorized, message).with_hint(hint));
    }
    let has = |name: &str| connection.credentials.fields.get(name).is_some_and(|t| !t.is_empty());
    if matches!(mode, AuthMode::OAuth2(_)) && !has("refresh_token") {
        return Err(unauthorized(connection, "there is no refresh token"));
    }
    let named = matches!(mode, AuthMode::OAuth2(_) | AuthMode::ClientCredentials(_));
    if named && integration.oauth_client_id.is_none() {
        let message = format!(
            "the token has to be refreshed, and `{}` has no `oauth_client_id`",
            integration.name
        );
        return Err(Failure::new(Code::Unauthorized, message)
            .with_hint("give `oauth_client_id` and `oauth_client_secret` in integrations.yaml"));
    }
    Ok(())
}

/// The failure of a connection that a person has to mend.
pub fn unauthorized(connection: &Connection, reason: &str) -> Failure {
    let Connection { integration, id, .. } = connection;
    Failure::new(
        Code::Unauthorized,
        format!("connection `{id}` of `{integration}` needs authorization: {reason}"),
    )
    .with_hint(format!("sign in again: `engine connect {integration} --connection {id}`"))
}

fn gone(integration: &str, id: &str) -> Failure {
    Failure::new(
        Code::Unauthorized,
        format!("connection `{id}` of `{integration}` does not exist any more"),
    )
}

fn broken(error: &store::Error) -> Failure {
    Failure::new(Code::Internal, error.to_string())
}
