//! The life of a connection after sign-in: refreshed, tested, revoked, deleted.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    auth::{self, Account, Canned, Kept, Parties, Revoked},
    connect,
    engine::{accept, call::Deleted, connections, ids, parts::Engine},
    error::Error,
    model::{
        blueprint::Integration,
        connection::{Connection, ConnectionStatus},
        failure::{Code, Failure},
    },
    sandbox::Server,
};

/// Pending revocations that one command tries again.
const RETRIES: usize = 20;

/// The integration and the connection that are meant.
fn find(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<(Arc<Integration>, Connection), Error> {
    let loaded = engine.catalog().integration(integration)?;
    let connection = connections::choose(engine.store()?, &*loaded.shape()?, wanted)?;
    let integration = if connection.sandbox { loaded.sandbox()? } else { loaded.live()? };
    Ok((integration, connection))
}

/// A fresh token, now.
pub async fn refresh(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Result<Connection, Failure>, Error> {
    let (integration, connection) = find(engine, integration, wanted)?;
    let mode = &integration.blueprint.auth.mode;
    if connection.sandbox || !mode.can_refresh() {
        let what = if connection.sandbox { "a sandbox connection" } else { mode.as_str() };
        let message = format!("{what} has no token that could be refreshed");
        return Ok(Err(Failure::new(Code::InvalidInput, message)));
    }
    let refreshed = engine.keeper()?.renew(&integration, &connection).await;
    Ok(refreshed)
}

/// Asks the API whether the credentials work; the answers of `verify` and `connect.discover`.
pub async fn test(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Result<Value, Failure>, Error> {
    let (integration, connection) = find(engine, integration, wanted)?;
    let server =
        if connection.sandbox { Some(accept::start(engine, &integration).await?) } else { None };
    let account: Arc<dyn Account> = match &server {
        Some(server) => Arc::new(Canned::new(&accept::credentials(server), &integration)),
        None => match Kept::new(engine.keeper()?, &integration, &connection) {
            Ok(kept) => Arc::new(kept),
            Err(failure) => return Ok(Err(failure)),
        },
    };
    let base_url = server.as_ref().map(Server::base_url);
    let steps = connect::questions(&integration, base_url.as_ref());
    if steps.is_empty() {
        let message = format!("`{}` names no request to test with", integration.blueprint.id);
        let hint = "a blueprint has one under `verify` or `connect.discover`";
        return Ok(Err(Failure::new(Code::InvalidInput, message).with_hint(hint)));
    }
    let asking = connect::Asking {
        account,
        connection: &connection,
        base_url,
        run_id: ids::run(engine.clock().now()),
        steps,
    };
    let context = engine.context(connection.sandbox)?;
    Ok(connect::ask(&context, &integration, asking).await?)
}

/// Takes the tokens back; the connection stays, and needs a new sign-in.
pub async fn revoke(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Result<Connection, Failure>, Error> {
    let (integration, mut connection) = find(engine, integration, wanted)?;
    let outcome = if connection.sandbox {
        Revoked::Done
    } else {
        ask(engine, &integration, &connection).await?
    };
    match outcome {
        Revoked::Done => {}
        Revoked::Unknown => {
            let message =
                format!("`{}` knows no way to take tokens back", integration.blueprint.id);
            let hint = "do it at the vendor's site, then `engine connections delete`";
            return Ok(Err(Failure::new(Code::InvalidInput, message).with_hint(hint)));
        }
        Revoked::Failed(reason) => {
            let message = format!("the vendor did not take the tokens back: {reason}");
            return Ok(Err(Failure::new(Code::ProviderError, message)));
        }
    }
    for name in ["access_token", "refresh_token"] {
        connection.credentials.fields.remove(name);
    }
    connection.credentials.raw = None;
    connection.credentials.expires_at = None;
    connection.status = ConnectionStatus::Revoked;
    connection.status_reason = Some("its tokens were taken back".to_owned());
    connection.updated_at = engine.clock().now();
    connection.version = engine.store()?.update(&connection)?;
    Ok(Ok(connection))
}

/// Deletes a connection at once; its tokens are taken back where the vendor can, later if not now.
pub async fn delete(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Deleted, Error> {
    // A connection outlives its integration: without one nobody can be asked.
    let loaded = find(engine, integration, wanted).ok();
    let Some((loaded, connection)) = loaded else {
        let connection = connections::stored(engine.store()?, integration, wanted)?;
        engine.store()?.delete(&connection.integration, &connection.id)?;
        return Ok(Deleted { connection, revoked: None });
    };
    let store = engine.store()?;
    let live = !connection.sandbox && connection.status != ConnectionStatus::Revoked;
    if !live || !auth::can_revoke(&loaded) {
        store.delete(&connection.integration, &connection.id)?;
        return Ok(Deleted { connection, revoked: None });
    }
    store.retire(&connection, engine.clock().now())?;
    let pending = store.revocations()?.into_iter().rev().find(|pending| {
        pending.connection.integration == connection.integration
            && pending.connection.id == connection.id
    });
    let revoked = match pending {
        Some(pending) => attempt(engine, &loaded, &pending).await?,
        None => Ok(()),
    };
    Ok(Deleted { connection, revoked: Some(revoked) })
}

/// Tries again what could not be taken back before; how many are left.
pub async fn settle(engine: &Engine) -> Result<usize, Error> {
    let pending = engine.store()?.revocations()?;
    let mut left = 0;
    for revocation in pending.iter().take(RETRIES) {
        let name = &revocation.connection.integration;
        let done = match engine.catalog().integration(name).and_then(|loaded| loaded.live()) {
            Ok(integration) => attempt(engine, &integration, revocation).await?.is_ok(),
            Err(_) => false,
        };
        left += usize::from(!done);
    }
    Ok(left + pending.len().saturating_sub(RETRIES))
}

async fn attempt(
    engine: &Engine,
    integration: &Integration,
    pending: &crate::store::Revocation,
) -> Result<Result<(), String>, Error> {
    let store = engine.store()?;
    Ok(match ask(engine, integration, &pending.connection).await? {
        Revoked::Done | Revoked::Unknown => {
            store.settle(pending, None)?;
            Ok(())
        }
        Revoked::Failed(reason) => {
            store.settle(pending, Some(&reason))?;
            Err(reason)
        }
    })
}

async fn ask(
    engine: &Engine,
    integration: &Integration,
    connection: &Connection,
) -> Result<Revoked, Error> {
    let context = engine.context(false)?;
    let parties =
        Parties { wire: &*context.wire, integration, connection, now: engine.clock().now() };
    Ok(auth::revoke(parties).await)
}
