//! `Account`: one account's link to an integration, and `Secrets`, which it is told apart from.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value, json};

use crate::model::{
    name::{BadName, ConnectionId, IntegrationKey},
    schema::Schema,
    secret::{MASK, Secret},
    time::Timestamp,
};

/// Which account: the integration's name and the connection's id, both chosen by the operator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey {
    /// The integration.
    pub integration: IntegrationKey,
    /// Unique within the integration.
    pub id: ConnectionId,
}

impl AccountKey {
    /// Both, checked.
    pub fn parse(integration: &str, id: &str) -> Result<Self, BadName> {
        Ok(Self { integration: integration.parse()?, id: id.parse()? })
    }
}

/// Begins what stands for an id that cannot be read; no id does.
const NUMBERED: char = '#';

impl AccountKey {
    /// Stands for the account of this number, whose own name cannot be read.
    pub fn numbered(number: i64) -> Self {
        let integration = IntegrationKey::from_row("?");
        Self { integration, id: ConnectionId::from_row(&format!("{NUMBERED}{number}")) }
    }

    /// The number, if it stands for an account whose name cannot be read.
    pub fn number(&self) -> Option<i64> {
        Self::number_of(&self.id)
    }

    /// The number of an account whose name cannot be read, as it is shown: `#12`.
    pub fn number_of(id: &str) -> Option<i64> {
        id.strip_prefix(NUMBERED)?.parse().ok()
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection `{}` of `{}`", self.id, self.integration)
    }
}

/// All that lists, choices and pages need of an account. Holds no secret.
#[derive(Debug, Clone)]
pub struct Account {
    /// Given by the store, never twice; 0 before the account is stored.
    pub number: i64,
    /// The integration.
    pub integration: IntegrationKey,
    /// Unique within the integration.
    pub id: ConnectionId,
    /// Tells an account from an earlier or later one of the same id.
    pub incarnation: String,
    /// Raised by every change: compare and set.
    pub version: i64,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// Why it cannot.
    pub status_reason: Option<String>,
    /// What was granted at the last sign-in or refresh, if the vendor said.
    pub scopes: Option<Vec<String>>,
    /// `account.id`, as the vendor has it.
    pub account_id: Option<String>,
    /// `account.name`, as the vendor has it.
    pub account_name: Option<String>,
    /// `connection.*`: values asked, saved or discovered, by the blueprint's `connection` schema;
    /// those that are `writeOnly` are in [`Credentials::connection_config`].
    pub connection_config: Value,
    /// `connection.metadata`, free form.
    pub metadata: Value,
    /// Free form, to filter by.
    pub tags: BTreeMap<String, String>,
    /// The operator's own user.
    pub end_user: Option<EndUser>,
    /// The operator's own tenant.
    pub organization: Option<Organization>,
    /// Instead of the environment's webhook URL.
    pub webhook_url_override: Option<String>,
    /// Made in the sandbox, and only good there.
    pub sandbox: bool,
    /// Refreshes that failed since the last one that did not.
    pub failures: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything but a use was changed.
    pub updated_at: Timestamp,
    /// When its credentials were last handed out.
    pub last_fetched_at: Option<Timestamp>,
    /// When a run last used it.
    pub last_used_at: Option<Timestamp>,
    /// When its token was last refreshed.
    pub last_refreshed_at: Option<Timestamp>,
    /// When the access token ends, if known.
    pub expires_at: Option<Timestamp>,
    /// [`Credentials::names`] of it: which are set, not what they are.
    pub credential_names: Vec<String>,
    /// Why the last refresh failed, if it did.
    pub refresh_failure: Option<String>,
    /// No token request before, because the last one failed with "not now".
    pub refresh_retry_at: Option<Timestamp>,
}

impl Account {
    /// A new one, active and empty.
    pub fn new(key: AccountKey, incarnation: String, now: Timestamp) -> Self {
        Self {
            number: 0,
            integration: key.integration,
            id: key.id,
            incarnation,
            version: 1,
            status: AccountStatus::Active,
            status_reason: None,
            scopes: None,
            account_id: None,
            account_name: None,
            connection_config: json!({}),
            metadata: json!({}),
            tags: BTreeMap::new(),
            end_user: None,
            organization: None,
            webhook_url_override: None,
            sandbox: false,
            failures: 0,
            created_at: now,
            updated_at: now,
            last_fetched_at: None,
            last_used_at: None,
            last_refreshed_at: None,
            expires_at: None,
            credential_names: Vec::new(),
            refresh_failure: None,
            refresh_retry_at: None,
        }
    }

    /// Which one it is.
    pub fn key(&self) -> AccountKey {
        AccountKey { integration: self.integration.clone(), id: self.id.clone() }
    }

    /// The names of the fields of its credentials.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        let is_field = |name: &&str| !name.starts_with(SEALED_VALUE);
        self.credential_names.iter().map(String::as_str).filter(is_field)
    }

    /// Its values as people may see them: `***` for those that are sealed.
    pub fn values(&self) -> Map<String, Value> {
        let mut values = self.connection_config.as_object().cloned().unwrap_or_default();
        values.extend(self.sealed_values().map(|name| (name.to_owned(), MASK.into())));
        values
    }

    /// The root `connection` of templates, as people may see it.
    pub fn root(&self) -> Value {
        let mut root = self.values();
        root.insert("metadata".to_owned(), self.metadata.clone());
        Value::Object(root)
    }

    /// The names of the values of `connection_config` that are sealed.
    pub fn sealed_values(&self) -> impl Iterator<Item = &str> {
        self.credential_names.iter().filter_map(|name| name.strip_prefix(SEALED_VALUE))
    }
}

/// Begins the name of a sealed value among those of credentials, as templates begin it.
const SEALED_VALUE: &str = "connection.";

/// The operator's user whom an account belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndUser {
    /// The operator's id of them.
    pub id: String,
    /// If known.
    pub email: Option<String>,
    /// If known.
    pub display_name: Option<String>,
}

/// The operator's tenant that an account belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The operator's id of it.
    pub id: String,
    /// If known.
    pub display_name: Option<String>,
}

/// Whether an account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    /// Yes.
    Active,
    /// A person has to sign in again.
    NeedsAuthorization,
    /// Taken back by us.
    Revoked,
    /// Its credentials do not open: changed on disk, or sealed with a key that is lost. Never
    /// stored: found when the account is read.
    Damaged,
}

impl AccountStatus {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Active, Self::NeedsAuthorization, Self::Revoked, Self::Damaged];

    /// As it stands in columns and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NeedsAuthorization => "needs_authorization",
            Self::Revoked => "revoked",
            Self::Damaged => "damaged",
        }
    }

    /// Reads a column.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What one account gave us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// By name, as templates see them: `access_token`, `refresh_token`, `api_key`, `username` …
    pub fields: BTreeMap<String, Secret>,
    /// When `access_token` ends, if known.
    pub expires_at: Option<Timestamp>,
    /// The token answer as received, JSON text: `credentials.raw.*`.
    pub raw: Option<Secret>,
    /// Values of the connection that are `writeOnly`, each a JSON text: `connection.*`.
    pub connection_config: BTreeMap<String, Secret>,
}

impl Credentials {
    /// The names of what is set: those of the fields, and `connection.NAME` of sealed values.
    pub fn names(&self) -> Vec<String> {
        let sealed = self.connection_config.keys().map(|name| format!("{SEALED_VALUE}{name}"));
        self.fields.keys().cloned().chain(sealed).collect()
    }

    /// Takes the values that `schema` says are `writeOnly` out of `values`, to be sealed.
    pub fn take_sealed(&mut self, schema: &Schema, values: &mut Map<String, Value>) {
        for name in schema.write_only() {
            if let Some(value) = values.shift_remove(name) {
                self.connection_config.insert(name.to_owned(), Secret::new(value.to_string()));
            }
        }
    }
}

/// The credentials of an account, opened, and which of its token sets they are.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The secrets.
    pub credentials: Credentials,
    /// Raised by every new token set, and by nothing else.
    pub generation: i64,
    /// Raised by every lease and every sign-in: a verdict over an older one does not count.
    pub fence: i64,
}

/// An account with its secrets open: what signing in and refreshing work on. Nothing that lists,
/// pages or shows accounts gets one.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Whose.
    pub account: Account,
    /// Opened.
    pub secrets: Secrets,
}

impl Connection {
    /// One that is not stored yet.
    pub fn new(account: Account, credentials: Credentials) -> Self {
        Self { account, secrets: Secrets { credentials, ..Secrets::default() } }
    }

    /// Takes values of `connection.*` over, each to its place.
    pub fn take_values(&mut self, schema: &Schema, mut values: Map<String, Value>) {
        self.secrets.credentials.take_sealed(schema, &mut values);
        if let Some(all) = self.account.connection_config.as_object_mut() {
            all.extend(values);
        }
    }

    /// One of its credentials.
    pub fn credential(&self, name: &str) -> Option<&Secret> {
        self.secrets.credentials.fields.get(name)
    }
}
