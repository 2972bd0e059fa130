//! A connection made by hand: checked, proven like one that was signed in, and stored.

use crate::{
    auth::{self, TokenGrant},
    connect::Parameters,
    engine::{
        call::NewConnection,
        connections::{self, Checked},
        parts::Engine,
        sign_in::SignIn,
    },
    error::Error,
    model::{
        account::{Account, Connection},
        failure::Failure,
        time::Timestamp,
    },
    store::{self, NewAccount},
};

/// Stores a connection once the API has taken its credentials.
pub async fn add(engine: &Engine, new: NewConnection) -> Result<Result<Account, Failure>, Error> {
    let (replace, sandbox) = (new.replace, new.sandbox);
    let Checked { integration, connection } = connections::checked(engine, new)?;
    let accounts = &engine.store().await?.accounts;
    let key = connection.account.key();
    if !replace && accounts.get(&key).await?.is_some() {
        // Met before the vendor is asked.
        return Err(store::Error::Exists { integration: key.integration, id: key.id }.into());
    }
    let can_be_asked = !sandbox && !is_over(&connection, engine.clock().now());
    let connection = if can_be_asked {
        let parameters = Parameters {
            scopes: Vec::new(),
            connection_config: connection.account.connection_config.clone(),
            metadata: connection.account.metadata.clone(),
            sandbox: None,
        };
        let sign_in = SignIn::new(engine, integration, connection, parameters).await?;
        match proven(&sign_in).await? {
            Ok(connection) => connection,
            Err(failure) => return Ok(Err(unstored(failure))),
        }
    } else {
        connection
    };
    let stored = accounts.add_many(vec![NewAccount { connection, replace }]).await?.pop();
    stored.map_or_else(|| Err(connections::nothing_stored()), |stored| Ok(Ok(stored?)))
}

async fn proven(sign_in: &SignIn<'_>) -> Result<Result<Connection, Failure>, store::Error> {
    let candidate = sign_in.candidate.clone();
    let mode = &sign_in.integration.blueprint.auth.mode;
    let has_token = candidate.credential("access_token").is_some_and(|token| !token.is_empty());
    let signed = if mode.obtains_by_itself() && !has_token {
        let outcome = auth::ask(sign_in.request(&candidate), TokenGrant::Stored).await;
        match sign_in.granted(outcome, candidate).await {
            Ok(signed) => signed,
            Err(failure) => return Ok(Err(failure)),
        }
    } else {
        candidate
    };
    // A token that was entered is not new.
    let issued = signed.account.last_refreshed_at;
    Ok(sign_in.prove(signed).await?.map(|mut connection| {
        connection.account.last_refreshed_at = issued;
        connection
    }))
}

/// Whether nothing can be asked with the token any more: it is renewed when it is needed.
fn is_over(connection: &Connection, now: Timestamp) -> bool {
    connection.secrets.credentials.expires_at.is_some_and(|end| end <= now)
}

fn unstored(failure: Failure) -> Failure {
    match &failure.hint {
        Some(hint) if hint != connections::NOTHING_STORED => failure,
        _ => failure.with_hint("nothing was stored; with `--no-verify` it is, unasked"),
    }
}
