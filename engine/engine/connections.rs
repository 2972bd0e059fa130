//! Connections: chosen for a call, or added by hand.

use jiff::Timestamp as Instant;
use serde_json::{Map, Value, json};

use crate::{
    auth,
    engine::{call::NewConnection, parts::Engine},
    error::Error,
    model::{
        auth::AuthMode,
        blueprint::{Blueprint, Integration},
        connection::{Connection, ConnectionStatus, Credentials},
        name,
        schema::Schema,
        secret::Secret,
        time::Timestamp,
    },
    schema,
    store::Store,
};

/// The connection that a call means: the one named, else the only one, else `default`.
pub fn choose(
    store: &dyn Store,
    integration: &Integration,
    wanted: Option<&str>,
) -> Result<Connection, Error> {
    stored(store, &integration.name, wanted).map_err(|mut error| {
        if let Error::NoConnection { sandbox, .. } = &mut error {
            *sandbox = integration.blueprint.has_sandbox;
        }
        error
    })
}

/// The same without asking the files: a connection outlives its integration.
pub fn stored(store: &dyn Store, name: &str, wanted: Option<&str>) -> Result<Connection, Error> {
    if let Some(id) = wanted {
        return match store.connection(name, id)? {
            Some(connection) => Ok(connection),
            None => Err(Error::UnknownConnection {
                integration: name.to_owned(),
                id: id.to_owned(),
                known: ids(store, name)?,
            }),
        };
    }
    let mut all = store.connections(Some(name))?;
    if all.len() > 1 {
        let known = all.iter().map(|c| c.id.clone()).collect();
        return match all.into_iter().find(|connection| connection.id == "default") {
            Some(connection) => Ok(connection),
            None => Err(Error::WhichConnection { integration: name.to_owned(), known }),
        };
    }
    all.pop().ok_or_else(|| Error::NoConnection { integration: name.to_owned(), sandbox: false })
}

fn ids(store: &dyn Store, integration: &str) -> Result<Vec<String>, Error> {
    Ok(store.connections(Some(integration))?.into_iter().map(|c| c.id).collect())
}

/// Checks a new connection against its blueprint and stores it.
pub fn add(engine: &Engine, new: NewConnection) -> Result<Connection, Error> {
    if !name::is_valid(&new.id) {
        return Err(Error::Call {
            code: "call.bad-name",
            message: format!("`{}` cannot name a connection", new.id),
            hint: Some(
                "use up to 64 of a–z, 0–9, `.`, `_`, `-`, beginning with a letter or digit"
                    .to_owned(),
            ),
        });
    }
    let loaded = engine.catalog().integration(&new.integration)?;
    let integration = if new.sandbox { loaded.sandbox()? } else { loaded.live()? };
    let blueprint = &integration.blueprint;
    let now = engine.clock().now();
    let granted = new.credentials.get("scope").cloned();
    let credentials =
        if new.sandbox { Credentials::default() } else { read(blueprint, new.credentials, now)? };
    let values = values(blueprint, new.values, new.sandbox)?;
    // As a token endpoint would have said it.
    let scopes = granted
        .filter(|_| matches!(blueprint.auth.mode, AuthMode::OAuth2(_)))
        .and_then(|granted| auth::scopes(&granted));
    let mut connection = Connection {
        integration: integration.name.clone(),
        id: new.id,
        status: ConnectionStatus::Active,
        status_reason: None,
        values,
        metadata: if new.metadata.is_null() { json!({}) } else { new.metadata },
        account_id: None,
        account_name: None,
        sandbox: new.sandbox,
        scopes,
        credentials,
        version: 1,
        created_at: now,
        updated_at: now,
        last_used_at: None,
        last_refreshed_at: None,
        refresh_failure: None,
        refresh_retry_at: None,
    };
    let store = engine.store()?;
    match store.connection(&connection.integration, &connection.id)? {
        Some(old) if new.replace => {
            connection.version = old.version;
            connection.created_at = old.created_at;
            // What the account is does not change with its keys; metadata stays unless given.
            if connection.metadata == json!({}) {
                connection.metadata = old.metadata;
            }
            // The lifetime of the new token counts from now.
            connection.last_refreshed_at = Some(now);
            connection.version = store.update(&connection)?;
        }
        Some(_) | None => store.insert(&connection)?,
    }
    Ok(connection)
}

/// What a person has to be asked for: required, not found by us, not given yet.
pub fn asked(blueprint: &Blueprint, given: &Map<String, Value>) -> Schema {
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
pub fn read(
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
        return Err(Error::InvalidInput { action: "credentials".to_owned(), violations });
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
    read.ok_or_else(|| Error::Call {
        code: "call.input-invalid",
        message: format!("`{name}` is no time"),
        hint: Some(
            "`expires_in` takes seconds, `expires_at` an RFC 3339 time or epoch seconds".to_owned(),
        ),
    })
}

/// Values of the connection by the blueprint's schema; the sandbox's account fills gaps there.
pub fn values(
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
    Err(Error::InvalidInput { action: "connection values".to_owned(), violations })
}

/// Members of the sandbox's account that the `connection` schema knows.
pub fn sandbox_values(blueprint: &Blueprint, account: &Value) -> Map<String, Value> {
    blueprint
        .connection_schema
        .properties()
        .filter_map(|(name, _)| Some((name.to_owned(), account.get(name)?.clone())))
        .collect()
}
