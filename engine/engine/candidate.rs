//! What a sign-in begins with: who is asked, for what, and as whom.

use std::{future::Future, pin::Pin, sync::Arc};

use serde_json::{Map, Value};
use url::Url;

use crate::{
    engine::{call::ConnectCall, connections, ids},
    error::{CallCode, Error},
    model::{
        account::{Account, AccountKey, Connection, Credentials},
        auth::AuthMode,
        blueprint::Integration,
        name::ConnectionId,
        schema::Schema,
        secret::Secret,
        template::Template,
        time::Timestamp,
    },
    view,
};

/// The person who signs in. Every method may be called from any thread.
pub trait Person: Sync {
    /// Sends the browser to `url`; it will come back to `redirect_uri`.
    fn browse(&self, url: &Url, redirect_uri: &str);
    /// Shows a device's code.
    fn confirm(&self, user_code: &str, uri: &str, complete: Option<&str>);
    /// Fills a form.
    fn fill<'a>(&'a self, form: Form, schema: &'a Schema) -> Filled<'a>;
    /// Lines that are pasted while the browser is away.
    fn pasted(&self) -> Option<tokio::sync::mpsc::Receiver<String>>;
    /// Shows a message beside the result.
    fn tell(&self, text: &str);
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Values of the connection.
    Connection,
    /// Credentials.
    Credentials,
}

/// What [`Person::fill`] answers with.
pub type Filled<'a> = Pin<Box<dyn Future<Output = Result<Map<String, Value>, Error>> + Send + 'a>>;

/// What a candidate is made of, beside what the person enters.
pub struct SignInCall<'a> {
    /// What was asked for.
    pub call: &'a ConnectCall,
    /// The values of the connection that is signed in again.
    pub known: Map<String, Value>,
    /// The time.
    pub now: Timestamp,
}

/// A connection that is not stored yet, with what the person entered.
pub async fn candidate(
    integration: &Integration,
    SignInCall { call, known, now }: SignInCall<'_>,
    person: &dyn Person,
) -> Result<Connection, Error> {
    let blueprint = &integration.blueprint;
    let mut given = call.values.clone();
    for (name, value) in known {
        given.entry(name).or_insert(value);
    }
    let asked = connections::values_to_ask(blueprint, &given);
    if !call.sandbox && asked.properties().next().is_some() {
        given.extend(person.fill(Form::Connection, &asked).await?);
    }
    let mut credentials = if call.sandbox {
        Credentials::default()
    } else {
        let schema = connections::entered(&blueprint.auth);
        let typed = match &call.credentials {
            Some(typed) => typed.clone(),
            None if schema.properties().next().is_none() => Map::new(),
            None => person.fill(Form::Credentials, &schema).await?,
        };
        connections::parse_credentials(blueprint, &schema, typed, now)?
    };
    let id = ConnectionId::parse(&call.connection)?;
    let key = AccountKey { integration: integration.name.clone(), id };
    let mut account = Account::new(key, ids::incarnation(now), now);
    let mut values = connections::checked_values(blueprint, given, call.sandbox)?;
    credentials.take_sealed(&blueprint.connection_schema, &mut values);
    account.connection_config = Value::Object(values);
    if !call.metadata.is_null() {
        account.metadata = call.metadata.clone();
    }
    account.sandbox = call.sandbox;
    Ok(Connection::new(account, credentials))
}

/// Whether the operator has set up what signing in needs.
pub fn require_client(integration: &Integration) -> Result<(), Error> {
    let auth = &integration.blueprint.auth;
    // One of the connection's own is entered.
    let own = auth.credentials.properties().any(|(name, _)| name == "client_id");
    let client = !own
        && matches!(
            auth.mode,
            AuthMode::OAuth2(_) | AuthMode::ClientCredentials(_) | AuthMode::OAuth1(_)
        );
    let refuse =
        |message: String, hint: String| Err(Error::call(CallCode::NotSetUp, message, hint));
    let name = &integration.name;
    if let Some((field, variable)) = integration.missing.first().filter(|_| client) {
        return refuse(
            format!(
                "signing in to `{name}` needs `{field}`, whose variable `{variable}` is not set"
            ),
            format!("set `{variable}` in the environment or in `.env`"),
        );
    }
    if client && integration.oauth_client_id.is_none() {
        return refuse(
            format!("signing in to `{name}` needs `oauth_client_id`"),
            "register an app with the vendor, and give its id and secret in integrations.yaml; to only try it, give `--sandbox`".to_owned(),
        );
    }
    Ok(())
}

/// The integration as the sandbox plays it: the vendor's pages are ours.
pub fn against_sandbox(integration: &Integration, base_url: &str) -> Integration {
    let mut blueprint = (*integration.blueprint).clone();
    let at = |path: &str| Template::text(&format!("{base_url}{path}"));
    match &mut Arc::make_mut(&mut blueprint.auth).mode {
        AuthMode::OAuth2(oauth) => {
            oauth.authorization_url = at(crate::sandbox::AUTHORIZE);
            oauth.token.url = at(crate::sandbox::TOKEN);
            oauth.refresh_url = None;
            oauth.device_authorization_url = Some(at(crate::sandbox::DEVICE));
            oauth.exchange = None;
            // The sandbox speaks RFC 6749 to the letter; the vendor's ways are not its own.
            oauth.token.answer.access_token = None;
            oauth.token.answer.responses.clear();
            oauth.token.answer.save.clear();
            oauth.token.params.clear();
            oauth.token.rename.clear();
            oauth.authorization_rename.clear();
            oauth.authorization_params.clear();
            oauth.issuer = None;
            oauth.token.token_types.clear();
        }
        AuthMode::OAuth1(oauth) => {
            oauth.request_url = at(crate::sandbox::TEMPORARY);
            oauth.authorization_url = at(crate::sandbox::AUTHORIZE);
            oauth.token_url = at(crate::sandbox::TOKEN);
            oauth.save.clear();
        }
        AuthMode::None
        | AuthMode::ApiKey
        | AuthMode::Basic { .. }
        | AuthMode::ClientCredentials(_)
        | AuthMode::Session(_)
        | AuthMode::Jwt(_)
        | AuthMode::AwsSigv4(_)
        | AuthMode::Signature(_) => {}
    }
    let mut played = integration.clone();
    played.blueprint = Arc::new(blueprint);
    played.oauth_client_id.get_or_insert_with(|| "sandbox-client".to_owned());
    played.oauth_client_secret.get_or_insert_with(|| Secret::new("sandbox-secret".to_owned()));
    played.missing.clear();
    played
}

/// Says that a sign-in is done, on the page in the browser and in the terminal.
pub fn signed_in(connection: &view::Connection) -> String {
    let who = connection.account().map(|who| format!(" as {who}")).unwrap_or_default();
    format!("connection `{}` of `{}` is signed in{who}", connection.id, connection.integration)
}
