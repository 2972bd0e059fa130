//! A call → an invocation, or the reason why not. Nothing has begun yet.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    auth::{self, CredentialSource, FixedCredentials, StoredAccount},
    catalog::Loaded,
    engine::{call::Call, connections, ids, parts::Engine},
    error::Error,
    model::{
        account::{Account, Connection, Credentials},
        action::Action,
        auth::AuthMode,
        blueprint::Integration,
        name::ConnectionId,
        secret::Secret,
    },
    policy::plan::PreparedAction,
    run::{Invocation, Terms},
    sandbox::Server,
    schema, store,
};

/// An invocation, and the sandbox that it goes to.
pub struct Accepted {
    /// Ready to run.
    pub invocation: Invocation,
    /// Serves until it is dropped.
    pub sandbox: Option<Server>,
}

/// Where a call goes, and as whom.
pub struct CallTarget {
    /// The entry with its actions, as the files were when the call came.
    pub loaded: Arc<Loaded>,
    /// The entry.
    pub integration: Arc<Integration>,
    /// A stored account, if one is used.
    pub account: Option<Account>,
    /// Whether it goes to the sandbox.
    pub sandbox: bool,
}

/// Finds the integration and the connection. Without a connection the sandbox still serves.
pub async fn target(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
    sandbox: bool,
) -> Result<CallTarget, Error> {
    let loaded = engine.catalog().integration(integration)?;
    if sandbox && wanted.is_none() {
        let integration = loaded.sandbox()?;
        return Ok(CallTarget { loaded, integration, account: None, sandbox: true });
    }
    // Its only connection may be a sandbox one, which needs no variables.
    let unready = if sandbox { None } else { loaded.live().err() };
    let shape = match loaded.shape() {
        Ok(shape) => shape,
        Err(error) => return Err(unready.unwrap_or(error).into()),
    };
    let account = match connections::choose(engine.store().await?, &shape, wanted).await {
        Ok(account) => account,
        Err(Error::NoConnection { .. }) if unready.is_none() && needs_none(&shape) => {
            return Ok(CallTarget { loaded, integration: shape, account: None, sandbox: false });
        }
        Err(error) => return Err(unready.map_or(error, Error::from)),
    };
    let sandbox = sandbox || account.sandbox;
    if let Some(error) = unready.filter(|_| !sandbox) {
        return Err(error.into());
    }
    let integration = if sandbox { loaded.sandbox()? } else { shape };
    Ok(CallTarget { loaded, integration, account: Some(account), sandbox })
}

/// Whether there is nothing that a connection would hold.
fn needs_none(integration: &Integration) -> bool {
    let blueprint = &integration.blueprint;
    let schema = &blueprint.connection_schema;
    let mut values = schema.properties().filter(|(name, _)| schema.requires(name));
    matches!(blueprint.auth.mode, AuthMode::None)
        && values.all(|(_, value)| value.get("default").is_some())
}

/// Accepts a call.
pub async fn accept(engine: &Engine, call: Call) -> Result<(Accepted, Arc<PreparedAction>), Error> {
    let target =
        target(engine, &call.integration, call.connection.as_deref(), call.sandbox).await?;
    let action = target.loaded.action(&call.action)?;
    let input = validate_input(&action.action, call.input)?;
    let Call { wait, run_limits, idempotency_key, .. } = call;
    let terms = Terms { wait, run_limits, idempotency_key };
    Ok((invoke(engine, target, input, terms).await?, action))
}

/// The input, checked, with defaults filled in.
pub fn validate_input(action: &Action, mut input: Value) -> Result<Value, Error> {
    if input.is_null() {
        input = json!({});
    }
    schema::fill_defaults(&action.input, &mut input);
    let violations = schema::check(&action.input, &input);
    if violations.is_empty() {
        return Ok(input);
    }
    Err(Error::InvalidInput { action: action.name.to_string(), violations })
}

/// Brings the target of a call and its input together; starts the sandbox if that is where it goes.
pub async fn invoke(
    engine: &Engine,
    target: CallTarget,
    input: Value,
    terms: Terms,
) -> Result<Accepted, Error> {
    let CallTarget { loaded: _, integration, account, sandbox } = target;
    let server = if sandbox { Some(start_sandbox(engine, &integration).await?) } else { None };
    let values;
    let (source, account): (Arc<dyn CredentialSource>, _) = match (&server, account) {
        (Some(server), account) => {
            let mut credentials = sandbox_credentials(server);
            values = match &account {
                // What is sealed is needed to play, too.
                Some(account) if account.sealed_values().next().is_some() => {
                    let opened = open_connection(engine, account).await?;
                    credentials.connection_config =
                        opened.secrets.credentials.connection_config.clone();
                    auth::root(&opened)
                }
                account => connection_root(&integration, account.as_ref()),
            };
            (Arc::new(FixedCredentials::new(&credentials, &integration)), account)
        }
        (None, Some(account)) => {
            let stored = stored_credentials(engine, &integration, &account).await?;
            // Values and scopes of the account as it was when its credentials were opened.
            let account = stored.account().clone();
            values = stored.root().clone();
            (Arc::new(stored), Some(account))
        }
        (None, None) if needs_none(&integration) => {
            values = connection_root(&integration, None);
            let nothing = Credentials::default();
            (Arc::new(FixedCredentials::new(&nothing, &integration)), None)
        }
        (None, None) => {
            return Err(Error::NoConnection {
                integration: integration.name.to_string(),
                sandbox: integration.blueprint.has_sandbox,
            });
        }
    };
    let invocation = Invocation {
        id: ids::run(engine.clock().now()),
        values,
        granted: account.as_ref().and_then(|account| account.scopes.clone()),
        connection: match account {
            Some(account) => account.id,
            None if sandbox => ConnectionId::sandbox(),
            None => ConnectionId::usual(),
        },
        integration,
        account: source,
        input,
        base_url: server.as_ref().map(Server::base_url),
        terms,
        claim: None,
        token_key: if sandbox {
            [0; 32]
        } else {
            engine.store().await?.ring.token_key().map_err(store::Error::from)?
        },
    };
    Ok(Accepted { invocation, sandbox: server })
}

/// A stored account with its credentials open.
pub async fn open_connection(engine: &Engine, account: &Account) -> Result<Connection, Error> {
    let gone = || Error::UnknownConnection {
        integration: account.integration.to_string(),
        id: account.id.to_string(),
        known: Vec::new(),
    };
    auth::open(engine.store().await?, &account.key()).await?.ok_or_else(gone)
}

/// The credentials of a stored account, for a run.
pub async fn stored_credentials(
    engine: &Engine,
    integration: &Arc<Integration>,
    account: &Account,
) -> Result<StoredAccount, Error> {
    let connection = open_connection(engine, account).await?;
    StoredAccount::new(engine.keeper().await?, integration, &connection).map_err(Error::Refused)
}

/// The root `connection`, without what is sealed.
pub fn connection_root(integration: &Integration, account: Option<&Account>) -> Value {
    if let Some(account) = account {
        return account.root();
    }
    let blueprint = &integration.blueprint;
    let account = blueprint.sandbox.as_ref().map(|sandbox| &sandbox.account);
    let mut values =
        account.map(|account| connections::sandbox_values(blueprint, account)).unwrap_or_default();
    values.insert("metadata".to_owned(), json!({}));
    let mut values = Value::Object(values);
    schema::fill_defaults(&blueprint.connection_schema, &mut values);
    values
}

/// Starts the sandbox of an integration.
pub async fn start_sandbox(engine: &Engine, integration: &Integration) -> Result<Server, Error> {
    let blueprint = Arc::clone(&integration.blueprint);
    if blueprint.sandbox.is_none() {
        return Err(Error::NoSandbox { blueprint: blueprint.id.to_string() });
    }
    Server::start(blueprint, Arc::clone(engine.clock())).await.map_err(|source| Error::Io {
        what: "the sandbox cannot listen on 127.0.0.1".to_owned(),
        source,
    })
}

/// What the sandbox takes for credentials, whatever the mode.
pub fn sandbox_credentials(server: &Server) -> Credentials {
    let mut credentials = Credentials::default();
    let token: Secret = server.token();
    for name in ["access_token", "api_key", "username", "password", "oauth_token"] {
        credentials.fields.insert(name.to_owned(), token.clone());
    }
    for name in server.credential_names() {
        credentials.fields.insert(name, token.clone());
    }
    credentials
}
