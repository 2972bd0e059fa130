//! Accounts: chosen for a call, or added by hand.

use jiff::Timestamp as Instant;
use serde_json::{Map, Value, json};

use crate::{
    auth,
    engine::{call::NewConnection, ids, parts::Engine},
    error::{CallCode, Error},
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        auth::AuthMode,
        blueprint::{Blueprint, Integration},
        name::{ConnectionId, IntegrationKey},
        schema::Schema,
        secret::Secret,
        time::Timestamp,
    },
    schema,
    store::{AccountFilter, AccountQuery, Choice, NAMED, NewAccount, Store},
};

/// The account that a call means: the one named, else the only one, else `default`.
pub async fn choose(
    store: &Store,
    integration: &Integration,
    wanted: Option<&str>,
) -> Result<Account, Error> {
    find(store, &integration.name, wanted).await.map_err(|mut error| {
        if let Error::NoConnection { sandbox, .. } = &mut error {
            *sandbox = integration.blueprint.has_sandbox;
        }
        error
    })
}

/// The same without asking the files: an account outlives its integration.
pub async fn find(store: &Store, name: &str, wanted: Option<&str>) -> Result<Account, Error> {
    let none = || Error::NoConnection { integration: name.to_owned(), sandbox: false };
    let Some(id) = wanted else {
        let key = IntegrationKey::parse(name).map_err(|_| none())?;
        return match store.accounts.choose(&key).await? {
            Choice::One(account) => Ok(*account),
            Choice::Several(known) => {
                Err(Error::WhichConnection { integration: name.to_owned(), known })
            }
            Choice::None => Err(none()),
        };
    };
    if let Ok(key) = AccountKey::parse(name, id)
        && let Some(account) = store.accounts.get(&key).await?
    {
        return Ok(account);
    }
    let filter = AccountFilter { integration: Some(name.to_owned()), ..AccountFilter::default() };
    let query = AccountQuery { filter, limit: NAMED, ..AccountQuery::default() };
    let page = store.accounts.page(query).await?;
    Err(Error::UnknownConnection {
        integration: name.to_owned(),
        id: id.to_owned(),
        known: page.accounts.into_iter().map(|account| account.id).collect(),
    })
}

/// The scopes that a connection's integration asks for and the vendor did not grant; `None` if the
/// vendor never said what it granted, or if the files do not know the integration.
pub fn missing_scopes(engine: &Engine, account: &Account) -> Option<Vec<String>> {
    let granted = account.scopes.as_ref()?;
    let loaded = engine.catalog().integration(&account.integration);
    let integration = loaded.and_then(|loaded| loaded.shape()).ok()?;
    let usual = integration.blueprint.auth.mode.default_scopes();
    let wanted = integration.oauth_scopes.as_deref().unwrap_or(usual);
    // A refresh token is granted by giving one, not by naming it.
    let missing = |scope: &&String| !granted.contains(scope) && *scope != "offline_access";
    Some(wanted.iter().filter(missing).cloned().collect())
}

/// Checks new connections against their blueprints and stores those that are sound, all at once.
pub async fn add(
    engine: &Engine,
    new: Vec<NewConnection>,
) -> Result<Vec<Result<Account, Error>>, Error> {
    let mut results = Vec::with_capacity(new.len());
    let mut sound = Vec::new();
    for new in new {
        let replace = new.replace;
        results.push(match new_connection(engine, new) {
            Ok(connection) => {
                sound.push(NewAccount { connection, replace });
                None
            }
            Err(error) => Some(error),
        });
    }
    let stored = match sound.as_slice() {
        [] => Vec::new(),
        _ => engine.store().await?.accounts.add_many(sound).await?,
    };
    let mut stored = stored.into_iter();
    let result = |refused: Option<Error>| match refused {
        Some(error) => Some(Err(error)),
        None => stored.next().map(|stored| Ok(stored?)),
    };
    Ok(results.into_iter().filter_map(result).collect())
}

fn new_connection(engine: &Engine, new: NewConnection) -> Result<Connection, Error> {
    let id = ConnectionId::parse(&new.id)?;
    let loaded = engine.catalog().integration(&new.integration)?;
    let integration = if new.sandbox { loaded.sandbox()? } else { loaded.live()? };
    let blueprint = &integration.blueprint;
    let now = engine.clock().now();
    let granted = new.credentials.get("scope").cloned();
    let credentials = if new.sandbox {
        Credentials::default()
    } else {
        parse_credentials(blueprint, new.credentials, now)?
    };
    let key = AccountKey { integration: integration.name.clone(), id };
    let mut account = Account::new(key, ids::incarnation(now), now);
    account.connection_config = checked_values(blueprint, new.connection_config, new.sandbox)?;
    if !new.metadata.is_null() {
        account.metadata = new.metadata;
    }
    account.tags = new.tags;
    account.sandbox = new.sandbox;
    // As a token endpoint would have said it.
    account.scopes = granted
        .filter(|_| matches!(blueprint.auth.mode, AuthMode::OAuth2(_)))
        .and_then(|granted| auth::scopes(&granted));
    Ok(Connection::new(account, credentials))
}

/// What a person has to be asked for: required, not found by us, not given yet.
pub fn values_to_ask(blueprint: &Blueprint, given: &Map<String, Value>) -> Schema {
    let schema = &blueprint.connection_schema;
    let flag = |schema: &Value, name: &str| schema.get(name).is_some_and(|v| v == &json!(true));
    let wanted: Map<String, Value> = schema
        .properties()
        .filter(|(name, one)| {
            schema.requires(name) && !flag(one, "readOnly") && !given.contains_key(*name)
        })
        .map(|(name, schema)| (name.to_owned(), schema.clone()))
        .collect();
    let required: Vec<&String> = wanted.keys().collect();
    Schema::new(json!({"type": "object", "required": required, "properties": wanted.clone()}))
}

/// Credentials from JSON, by the blueprint's schema.
pub fn parse_credentials(
    blueprint: &Blueprint,
    given: Map<String, Value>,
    now: Timestamp,
) -> Result<Credentials, Error> {
    let document = Value::Object(given);
    let mut violations = schema::check(&blueprint.auth.credentials, &document);
    if !violations.is_empty() {
        // A schema's own words may quote the value that broke it.
        for violation in &mut violations {
            violation.hint = None;
        }
        return Err(Error::InvalidCredentials(violations));
    }
    let mut credentials = Credentials::default();
    let Value::Object(given) = document else { return Ok(credentials) };
    for (name, value) in given {
        match (name.as_str(), value) {
            ("expires_at" | "expires_in", value) => {
                credentials.expires_at = Some(expiry(&name, &value, now)?);
            }
            (_, Value::Null) => {}
            (_, Value::String(text)) => {
                credentials.fields.insert(name, Secret::new(text));
            }
            (_, value) => {
                credentials.fields.insert(name, Secret::new(value.to_string()));
            }
        }
    }
    Ok(credentials)
}

/// When a token ends, as people write it.
fn expiry(name: &str, value: &Value, now: Timestamp) -> Result<Timestamp, Error> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse::<f64>().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let ms = number.map(|n| (n * 1000.0).clamp(-9e15, 9e15));
    #[expect(clippy::cast_possible_truncation, reason = "clamped just above")]
    let ms = ms.map(|ms| ms as i64);
    let read = match (name, ms, value) {
        ("expires_in", Some(ms), _) => Some(Timestamp(now.0.saturating_add(ms))),
        ("expires_at", Some(ms), _) => Some(Timestamp(ms)),
        (_, _, Value::String(text)) => {
            text.parse::<Instant>().ok().map(|time| Timestamp(time.as_millisecond()))
        }
        _ => None,
    };
    read.ok_or_else(|| {
        Error::call(
            CallCode::InputInvalid,
            format!("`{name}` is not a time"),
            "`expires_in` takes seconds, `expires_at` an RFC 3339 time or epoch seconds".to_owned(),
        )
    })
}

/// Values of the connection by the blueprint's schema; the sandbox's account fills gaps there.
pub fn checked_values(
    blueprint: &Blueprint,
    given: Map<String, Value>,
    sandbox: bool,
) -> Result<Value, Error> {
    let mut document = match (&blueprint.sandbox, sandbox) {
        (Some(sandbox), true) => sandbox_values(blueprint, &sandbox.account),
        (Some(_) | None, _) => Map::new(),
    };
    document.extend(given);
    if sandbox {
        // Nothing has to be known of an account that is played.
        let schema = &blueprint.connection_schema;
        let names = schema.properties().map(|(name, _)| name).filter(|name| schema.requires(name));
        for name in names {
            document.entry(name).or_insert_with(|| "sandbox".into());
        }
    }
    let mut document = Value::Object(document);
    schema::fill_defaults(&blueprint.connection_schema, &mut document);
    let violations = schema::check(&blueprint.connection_schema, &document);
    if violations.is_empty() {
        return Ok(document);
    }
    Err(Error::InvalidConnection(violations))
}

/// Members of the sandbox's account that the `connection` schema knows.
pub fn sandbox_values(blueprint: &Blueprint, account: &Value) -> Map<String, Value> {
    blueprint
        .connection_schema
        .properties()
        .filter_map(|(name, _)| Some((name.to_owned(), account.get(name)?.clone())))
        .collect()
}
