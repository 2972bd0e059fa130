//! The life of a connection after sign-in: refreshed, tested, revoked, deleted.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    auth::{self, CredentialSource, FixedCredentials, Revoked, TokenRequest},
    catalog, connect,
    engine::{accept, call::Deleted, connections, ids, parts::Engine},
    error::Error,
    model::{
        account::{Account, AccountStatus, Connection},
        blueprint::Integration,
        failure::{Code, Failure},
    },
    sandbox::Server,
    store::{self, Basis, Revocation, Use},
};

/// Pending revocations that one command tries again.
const RETRIES: usize = 20;

/// The integration and the account that are meant.
async fn find(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<(Arc<Integration>, Account), Error> {
    let loaded = engine.catalog().integration(integration)?;
    let account = connections::choose(engine.store().await?, &*loaded.shape()?, wanted).await?;
    let integration = if account.sandbox { loaded.sandbox()? } else { loaded.live()? };
    Ok((integration, account))
}

/// A fresh token, now.
pub async fn refresh(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Result<Account, Failure>, Error> {
    let (integration, account) = find(engine, integration, wanted).await?;
    let mode = &integration.blueprint.auth.mode;
    if account.sandbox || !mode.can_refresh() {
        let what = if account.sandbox { "a sandbox connection" } else { mode.as_str() };
        let message = format!("{what} has no token that could be refreshed");
        return Ok(Err(Failure::new(Code::InvalidInput, message)));
    }
    let connection = accept::open_connection(engine, &account).await?;
    let refreshed = engine.keeper().await?.renew(&integration, &connection).await;
    Ok(refreshed.map(|connection| connection.account))
}

/// Asks the API whether the credentials work; the answers of `verify` and `connect.discover`.
pub async fn test(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Result<Value, Failure>, Error> {
    let (integration, mut account) = find(engine, integration, wanted).await?;
    let server = if account.sandbox {
        Some(accept::start_sandbox(engine, &integration).await?)
    } else {
        None
    };
    let values;
    let source: Arc<dyn CredentialSource> = match &server {
        Some(server) => {
            values = auth::root(&accept::open_connection(engine, &account).await?);
            Arc::new(FixedCredentials::new(&accept::sandbox_credentials(server), &integration))
        }
        None => match accept::stored_credentials(engine, &integration, &account).await {
            Ok(stored) => {
                account = stored.account().clone();
                values = stored.root().clone();
                Arc::new(stored)
            }
            Err(Error::Refused(failure)) => return Ok(Err(failure)),
            Err(error) => return Err(error),
        },
    };
    let base_url = server.as_ref().map(Server::base_url);
    let steps = connect::questions(&integration, base_url.as_ref());
    if steps.is_empty() {
        let message = format!("`{}` names no request to test with", integration.blueprint.id);
        let hint = "a blueprint has one under `verify` or `connect.discover`";
        return Ok(Err(Failure::new(Code::InvalidInput, message).with_hint(hint)));
    }
    let asking = connect::Questions {
        source,
        account: &account,
        values,
        base_url,
        run_id: ids::run(engine.clock().now()),
        steps,
    };
    let services = engine.services(account.sandbox).await?;
    let answer = connect::ask(&services, &integration, asking).await?;
    engine.store().await?.accounts.touch(account.key(), Use::Run);
    match answer {
        Ok(steps) if !account.sandbox => {
            Ok(discovered(engine, &integration, &account, &steps).await?.map(|()| steps))
        }
        answer => Ok(answer),
    }
}

/// Keeps what the answers say of the connection, as a sign-in does.
async fn discovered(
    engine: &Engine,
    integration: &Integration,
    account: &Account,
    steps: &Value,
) -> Result<Result<(), Failure>, Error> {
    // As it is by now: the test may have refreshed it.
    let mut connection = accept::open_connection(engine, account).await?;
    let before = connection.account.clone();
    if let Err(failure) = connect::learn(integration, &mut connection, steps, engine.clock().now())
    {
        return Ok(Err(failure));
    }
    let found = connection.account;
    let same = found.connection_config == before.connection_config
        && found.account_id == before.account_id
        && found.account_name == before.account_name;
    if !same {
        engine.store().await?.accounts.change(found).await?;
    }
    Ok(Ok(()))
}

/// Takes the tokens back; the connection stays, and needs a new sign-in.
pub async fn revoke(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Result<Account, Failure>, Error> {
    let (integration, account) = find(engine, integration, wanted).await?;
    let connection = accept::open_connection(engine, &account).await?;
    if let Err(failure) = engine.keeper().await?.revoke(&integration, Basis::of(&connection)).await
    {
        return Ok(Err(failure));
    }
    let store = engine.store().await?;
    Ok(Ok(connections::find(store, &account.integration, Some(&account.id)).await?))
}

/// Deletes a connection at once; its tokens are taken back where the vendor can, later if not now.
pub async fn delete(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
) -> Result<Deleted, Error> {
    let store = engine.store().await?;
    // An account outlives its integration, and is deleted while a variable is missing as well.
    let loaded = engine.catalog().integration(integration);
    let account = match loaded.as_ref().map(|loaded| loaded.shape()) {
        Ok(Ok(shape)) => connections::choose(store, &shape, wanted).await?,
        _ => connections::find(store, integration, wanted).await?,
    };
    let usable = loaded.and_then(|loaded| loaded.live());
    let can_ask = match &usable {
        Ok(usable) => auth::can_revoke(usable),
        // Without one nobody can ever be asked.
        Err(catalog::Error::Unknown { .. }) => false,
        Err(_) => true,
    };
    // What does not open cannot be taken back.
    let live = matches!(account.status, AccountStatus::Active | AccountStatus::NeedsAuthorization);
    let record = !account.sandbox && live && can_ask;
    if record {
        let (key, incarnation) = (account.key(), account.incarnation.clone());
        let of = Basis { key, incarnation, generation: 0, fence: 0 };
        // It ends with the row.
        let _held = engine.keeper().await?.hold(of).await.map_err(Error::Refused)?;
    }
    store.accounts.retire(&account.key(), record).await?;
    if !record {
        return Ok(Deleted { account, revoked: None });
    }
    let usable = match usable {
        Ok(usable) => usable,
        Err(error) => return Ok(Deleted { account, revoked: Some(Err(error.to_string())) }),
    };
    let pending = store.revocations.pending().await?;
    let mine = pending.into_iter().rev().find(|pending| pending.account == account.key());
    let revoked = match mine {
        Some(mine) => attempt(engine, &usable, &mine).await?,
        None => Ok(()),
    };
    Ok(Deleted { account, revoked: Some(revoked) })
}

/// Tries again what could not be taken back before; how many are left.
pub async fn settle(engine: &Engine) -> Result<usize, Error> {
    let store = engine.store().await?;
    let pending = in_turn(store.revocations.pending().await?);
    let mut left = pending.len();
    for revocation in pending.iter().take(RETRIES) {
        let name = &revocation.account.integration;
        let done = match engine.catalog().integration(name).and_then(|loaded| loaded.live()) {
            Ok(integration) => attempt(engine, &integration, revocation).await?.is_ok(),
            // Nobody can ever be asked: the entry is gone, and with it the way to the vendor.
            Err(catalog::Error::Unknown { .. }) => {
                tracing::warn!(
                    integration = name.as_str(),
                    connection = revocation.account.id.as_str(),
                    "tokens cannot be taken back any more: the integration is gone"
                );
                store.revocations.settle(revocation.number, None).await?;
                true
            }
            // Counted, so that those behind it have their turn.
            Err(error) => {
                store.revocations.settle(revocation.number, Some(error.to_string())).await?;
                false
            }
        };
        left -= usize::from(done);
    }
    Ok(left)
}

/// Those that were tried least come first, else the oldest.
fn in_turn(mut pending: Vec<Revocation>) -> Vec<Revocation> {
    pending.sort_by_key(|one| (one.attempts, one.number));
    pending
}

async fn attempt(
    engine: &Engine,
    integration: &Integration,
    pending: &Revocation,
) -> Result<Result<(), String>, Error> {
    let store = engine.store().await?;
    let outcome = match auth::open_revocation(store, pending.number).await {
        Ok(Some(connection)) => ask(engine, integration, &connection).await?,
        Ok(None) => Revoked::Done,
        // Nobody can open it any more, so that nobody can take it back.
        Err(store::Error::Tampered { .. }) => Revoked::Unknown,
        // One that cannot be read harms no other.
        Err(error) => Revoked::Failed(error.to_string()),
    };
    Ok(match outcome {
        Revoked::Done | Revoked::Unknown => {
            store.revocations.settle(pending.number, None).await?;
            Ok(())
        }
        Revoked::Failed(reason) => {
            store.revocations.settle(pending.number, Some(reason.clone())).await?;
            Err(reason)
        }
    })
}

async fn ask(
    engine: &Engine,
    integration: &Integration,
    connection: &Connection,
) -> Result<Revoked, Error> {
    let services = engine.services(false).await?;
    let (wire, now) = (&*services.wire, engine.clock().now());
    let request = TokenRequest { wire, integration, connection, now, secrets: &[] };
    Ok(auth::revoke(request).await)
}

#[cfg(test)]
mod tests {
    use crate::{engine::life::in_turn, model::account::AccountKey, store::Revocation};

    #[test]
    fn a_revocation_that_always_fails_does_not_block_those_behind_it() {
        let one = |number: i64, attempts| {
            let account = AccountKey::parse("a", &number.to_string()).unwrap();
            Revocation { number, account, attempts, reason: String::new() }
        };
        let order = |pending| in_turn(pending).iter().map(|one| one.number).collect::<Vec<_>>();
        assert_eq!(order(vec![one(1, 3), one(2, 0), one(3, 1), one(4, 0)]), [2, 4, 3, 1]);
    }
}
