//! The keys of the server, and what was done with whose.

use serde::Serialize;

use crate::{
    model::{
        api_key::{ApiKey as Key, KeyRate, Narrowing},
        name::{ConnectionId, IntegrationKey},
        time::Timestamp,
    },
    store::{AuditEntry as Entry, AuditRow},
};

/// A key; its text nobody can show any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// No secret.
    pub id: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Globs; empty for all.
    pub integrations: Vec<String>,
    /// Globs; empty for all.
    pub actions: Vec<String>,
    /// Only what changes nothing.
    pub read_only: bool,
    /// Only connections of this end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_user: Option<String>,
    /// `600/1m`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<KeyRate>,
    /// Requests at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// It is refused from then on.
    pub expires_at: Option<Timestamp>,
    /// It is refused since then.
    pub revoked_at: Option<Timestamp>,
    /// To about a minute.
    pub last_used_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreatedApiKey {
    /// The text that its holder sends. It is shown here, and never again.
    pub key: String,
    /// The rest.
    #[serde(flatten)]
    pub shown: ApiKey,
}

impl From<Key> for ApiKey {
    fn from(key: Key) -> Self {
        let Key {
            id,
            hash: _,
            name,
            scopes,
            narrowing,
            rate,
            concurrency,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
        } = key;
        let Narrowing { integrations, actions, read_only, end_user } = narrowing;
        Self {
            id,
            name,
            scopes,
            integrations,
            actions,
            read_only,
            end_user,
            rate,
            concurrency,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
        }
    }
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Grows.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// `command line`, or the id of a key.
    pub who: String,
    /// From which address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `credentials.revealed`, `key.created` …
    pub what: String,
    /// Of which account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationKey>,
    /// Of which account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// On what else: the id of a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let AuditRow { number, at, entry } = row;
        let Entry { who, what, account, about, source } = entry;
        let (integration, connection) = match account {
            Some(account) => (Some(account.integration), Some(account.id)),
            None => (None, None),
        };
        Self { number, at, who, source, what, integration, connection, about }
    }
}
