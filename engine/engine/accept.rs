//! A call → an invocation, or the reason why not. Nothing has begun yet.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    auth::{Account, Canned, Kept},
    catalog::Loaded,
    engine::{call::Call, connections, ids, parts::Engine},
    error::Error,
    model::{
        action::Action,
        blueprint::Integration,
        connection::{Connection, Credentials},
        name,
        secret::Secret,
    },
    policy::plan::PreparedAction,
    run::Invocation,
    sandbox::Server,
    schema,
};

/// An invocation, and the sandbox that it goes to.
pub struct Accepted {
    /// Ready to run.
    pub invocation: Invocation,
    /// Serves until it is dropped.
    pub sandbox: Option<Server>,
}

/// Who a call speaks for.
pub struct Party {
    /// The entry with its actions, as the files were when the call came.
    pub loaded: Arc<Loaded>,
    /// The entry.
    pub integration: Arc<Integration>,
    /// A stored connection, if one is used.
    pub connection: Option<Connection>,
    /// Whether it goes to the sandbox.
    pub sandbox: bool,
}

/// Finds the integration and the connection. Without a connection the sandbox still serves.
pub fn party(
    engine: &Engine,
    integration: &str,
    wanted: Option<&str>,
    sandbox: bool,
) -> Result<Party, Error> {
    if !name::is_valid(integration) {
        return Err(engine.catalog().unknown_integration(integration).into());
    }
    let loaded = engine.catalog().integration(integration)?;
    if sandbox && wanted.is_none() {
        let integration = loaded.sandbox()?;
        return Ok(Party { loaded, integration, connection: None, sandbox: true });
    }
    if !sandbox && let Err(error) = loaded.live() {
        // Its only connection may be a sandbox one, which needs no variables.
        let shape = loaded.shape();
        if !shape.is_ok_and(|shape| is_sandbox(engine, &shape, wanted)) {
            return Err(error.into());
        }
    }
    let shape = loaded.shape()?;
    let connection = connections::choose(engine.store()?, &shape, wanted)?;
    let sandbox = sandbox || connection.sandbox;
    let integration = if sandbox { loaded.sandbox()? } else { shape };
    Ok(Party { loaded, integration, connection: Some(connection), sandbox })
}

fn is_sandbox(engine: &Engine, integration: &Integration, wanted: Option<&str>) -> bool {
    let store = engine.store();
    store
        .and_then(|store| connections::choose(store, integration, wanted))
        .is_ok_and(|connection| connection.sandbox)
}

/// Accepts a call.
pub async fn accept(engine: &Engine, call: Call) -> Result<Accepted, Error> {
    let party = party(engine, &call.integration, call.connection.as_deref(), call.sandbox)?;
    let action = party.loaded.action(&call.action)?;
    let input = validate(&action.action, call.input)?;
    invoke(engine, party, (action, input), call.wait).await
}

/// The input, checked, with defaults filled in.
pub fn validate(action: &Action, mut input: Value) -> Result<Value, Error> {
    if input.is_null() {
        input = json!({});
    }
    schema::fill_defaults(&action.input, &mut input);
    let violations = schema::check(&action.input, &input);
    if violations.is_empty() {
        return Ok(input);
    }
    Err(Error::InvalidInput { action: action.name.clone(), violations })
}

/// Brings party and action together.
pub async fn invoke(
    engine: &Engine,
    party: Party,
    (action, input): (Arc<PreparedAction>, Value),
    wait: Option<std::time::Duration>,
) -> Result<Accepted, Error> {
    let Party { loaded: _, integration, connection, sandbox } = party;
    let server = if sandbox { Some(start(engine, &integration).await?) } else { None };
    let account: Arc<dyn Account> = match (&server, &connection) {
        (Some(server), _) => Arc::new(Canned::new(&credentials(server), &integration)),
        (None, Some(connection)) => {
            Arc::new(Kept::new(engine.keeper()?, &integration, connection).map_err(Error::Refused)?)
        }
        (None, None) => {
            return Err(Error::NoConnection {
                integration: integration.name.clone(),
                sandbox: integration.blueprint.has_sandbox,
            });
        }
    };
    let invocation = Invocation {
        id: ids::run(engine.clock().now()),
        values: values(&integration, connection.as_ref()),
        granted: connection.as_ref().and_then(|connection| connection.scopes.clone()),
        connection: connection.map_or_else(|| "sandbox".to_owned(), |connection| connection.id),
        integration,
        action,
        account,
        input,
        base_url: server.as_ref().map(Server::base_url),
        wait,
        token_key: if sandbox { [0; 32] } else { engine.store()?.token_key()? },
    };
    Ok(Accepted { invocation, sandbox: server })
}

/// The root `connection`.
pub fn values(integration: &Integration, connection: Option<&Connection>) -> Value {
    if let Some(connection) = connection {
        let mut values = connection.values.clone();
        if let Some(map) = values.as_object_mut() {
            map.insert("metadata".to_owned(), connection.metadata.clone());
        }
        return values;
    }
    let blueprint = &integration.blueprint;
    let account = blueprint.sandbox.as_ref().map(|sandbox| &sandbox.account);
    let mut values =
        account.map(|account| connections::sandbox_values(blueprint, account)).unwrap_or_default();
    values.insert("metadata".to_owned(), json!({}));
    Value::Object(values)
}

/// Starts the sandbox of an integration.
pub async fn start(engine: &Engine, integration: &Integration) -> Result<Server, Error> {
    let blueprint = Arc::clone(&integration.blueprint);
    if blueprint.sandbox.is_none() {
        return Err(Error::Call {
            code: "call.no-sandbox",
            message: format!("`{}` has no sandbox", blueprint.id),
            hint: Some(
                "put a file `vN.sandbox.yaml` beside it; see docs/guides/sandbox.md".to_owned(),
            ),
        });
    }
    Server::start(blueprint, 0, Arc::clone(engine.clock())).await.map_err(|source| Error::Io {
        what: "the sandbox cannot listen on 127.0.0.1".to_owned(),
        source,
    })
}

/// What the sandbox takes for credentials, whatever the mode.
pub fn credentials(server: &Server) -> Credentials {
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
