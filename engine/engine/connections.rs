//! Accounts: chosen for a call, or added by hand.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp as Instant;
use serde_json::{Map, Value, json};

use crate::{
    auth,
    engine::{call::NewConnection, ids, parts::Engine},
    error::{CallCode, Error},
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        auth::{Auth, AuthMode},
        blueprint::{Blueprint, Integration},
        failure::{Code, Failure},
        name::{ConnectionId, IntegrationKey},
        schema::Schema,
        secret::{MASK, Secret},
        template::{Expr, Part},
        time::Timestamp,
    },
    schema::{self, Violation},
    store::{AccountFilter, AccountQuery, Choice, NAMED, NewAccount, Store},
};

/// The hint of credentials that did not work.
pub const NOTHING_STORED: &str = "nothing was stored";

/// What a token endpoint gives, under the names of a connection's credentials.
const GRANTED: [&str; 8] = [
    "access_token",
    "refresh_token",
    "expires_in",
    "expires_at",
    "scope",
    "token_type",
    "oauth_token",
    "oauth_token_secret",
];

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
    // A damaged account whose name cannot be read is known by its number.
    let key = match AccountKey::number_of(id) {
        Some(number) => Ok(AccountKey::numbered(number)),
        None => AccountKey::parse(name, id),
    };
    if let Ok(key) = key
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
        results.push(match checked(engine, new) {
            Ok(Checked { connection, .. }) => {
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

/// What is said where the store answers nothing.
pub fn nothing_stored() -> Error {
    Error::Refused(Failure::new(Code::Internal, "the store answered nothing"))
}

/// A connection that fits its blueprint, not stored yet.
pub struct Checked {
    /// The entry.
    pub integration: Arc<Integration>,
    /// With its credentials.
    pub connection: Connection,
}

/// Checks a new connection against its blueprint.
pub fn checked(engine: &Engine, new: NewConnection) -> Result<Checked, Error> {
    let id = ConnectionId::parse(&new.id)?;
    let loaded = engine.catalog().integration(&new.integration)?;
    let integration = if new.sandbox { loaded.sandbox()? } else { loaded.live()? };
    let blueprint = &integration.blueprint;
    let now = engine.clock().now();
    let granted = new.credentials.get("scope").cloned();
    let mut credentials = if new.sandbox {
        Credentials::default()
    } else {
        parse_credentials(blueprint, &blueprint.auth.credentials, new.credentials, now)?
    };
    let key = AccountKey { integration: integration.name.clone(), id };
    let mut account = Account::new(key, ids::incarnation(now), now);
    let mut given = new.connection_config;
    // An export without secrets has this in their place, which is no value.
    let is_masked = |name: &str, value: &Value| {
        value == MASK && blueprint.connection_schema.write_only().any(|sealed| sealed == name)
    };
    given.retain(|name, value| !is_masked(name, value));
    let mut values = checked_values(blueprint, given, new.sandbox)?;
    credentials.take_sealed(&blueprint.connection_schema, &mut values);
    account.connection_config = Value::Object(values);
    if !new.metadata.is_null() {
        account.metadata = new.metadata;
    }
    account.tags = new.tags;
    account.sandbox = new.sandbox;
    // As a token endpoint would have said it.
    account.scopes = granted
        .filter(|_| matches!(blueprint.auth.mode, AuthMode::OAuth2(_)))
        .and_then(|granted| auth::scopes(&granted));
    let connection = Connection::new(account, credentials);
    Ok(Checked { integration, connection })
}

/// The credentials that a person enters. Of one who signs in at the vendor's page: those that the
/// blueprint has beside the tokens, such as a developer's token or a client of one's own.
pub fn entered(auth: &Auth) -> Cow<'_, Schema> {
    if !auth.mode.has_consent() {
        return Cow::Borrowed(&auth.credentials);
    }
    let schema = &auth.credentials;
    let own = |name: &str| !GRANTED.contains(&name);
    let properties: Map<String, Value> = schema
        .properties()
        .filter(|(name, _)| own(name))
        .map(|(name, one)| (name.to_owned(), one.clone()))
        .collect();
    let required: Vec<&String> = properties.keys().filter(|name| schema.requires(name)).collect();
    Cow::Owned(Schema::new(json!({
        "type": "object", "required": required, "properties": properties.clone(),
        "additionalProperties": false,
    })))
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

/// Credentials from JSON, by the blueprint's schema or what of it a person enters.
pub fn parse_credentials(
    blueprint: &Blueprint,
    schema: &Schema,
    given: Map<String, Value>,
    now: Timestamp,
) -> Result<Credentials, Error> {
    let document = Value::Object(given);
    let mut violations = schema::check(schema, &document);
    if violations.is_empty() {
        violations = unusable(blueprint, &document);
    }
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

/// Why credentials can never work, whatever the API thinks of them: a key that was pasted with a line
/// break, a token with its `Bearer`, a user name with the colon that ends it (RFC 7617, section 2).
fn unusable(blueprint: &Blueprint, given: &Value) -> Vec<Violation> {
    let texts = given.as_object().into_iter().flatten();
    let texts = texts.filter_map(|(name, value)| Some((name, value.as_str()?)));
    let fault = |(name, text): (&String, &str)| {
        let basic = matches!(blueprint.auth.mode, AuthMode::Basic { .. });
        let message = if text.contains("-----BEGIN ") || text.starts_with('{') {
            // Keys have several lines, and so may a JSON document.
            return None;
        } else if text.trim_matches(['\r', '\n']).contains(char::is_control) {
            "has a line break or another control character in it"
        } else if text.ends_with(['\r', '\n']) || text.starts_with(['\r', '\n']) {
            "begins or ends with a line break"
        } else if text.trim() != text && !name.contains("password") {
            "begins or ends with a blank"
        } else if basic && name == "username" && text.contains(':') {
            "has a colon in it, which ends a user name"
        } else if repeats_scheme(blueprint, name, text) {
            "begins with what is put before it anyway: give what follows that alone"
        } else {
            return None;
        };
        Some(Violation { pointer: format!("/{name}"), message: message.to_owned(), hint: None })
    };
    texts.filter_map(fault).collect()
}

/// Whether a header has the beginning of the text before the place where it goes: `Bearer Bearer x`.
fn repeats_scheme(blueprint: &Blueprint, name: &str, text: &str) -> bool {
    blueprint.requests.headers.iter().any(|(_, template)| match template.parts.as_slice() {
        [Part::Text(before), Part::Expr(Expr::Path(path))] if path.root == "credentials" => {
            let here = path.segments == [name];
            let scheme = before.trim_start().to_ascii_lowercase();
            here && scheme.len() > 1 && text.to_ascii_lowercase().starts_with(&scheme)
        }
        _ => false,
    })
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
) -> Result<Map<String, Value>, Error> {
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
    if !violations.is_empty() {
        return Err(Error::InvalidConnection(violations));
    }
    Ok(document.as_object_mut().map(std::mem::take).unwrap_or_default())
}

/// Members of the sandbox's account that the `connection` schema knows.
pub fn sandbox_values(blueprint: &Blueprint, account: &Value) -> Map<String, Value> {
    blueprint
        .connection_schema
        .properties()
        .filter_map(|(name, _)| Some((name.to_owned(), account.get(name)?.clone())))
        .collect()
}
