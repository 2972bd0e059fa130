//! `Connection`: one account's link to an integration.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{secret::Secret, time::Timestamp};

/// What the store keeps of one account.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The integration's name.
    pub integration: String,
    /// Chosen by the operator; unique within the integration.
    pub id: String,
    /// Whether it can be used.
    pub status: ConnectionStatus,
    /// Why it cannot.
    pub status_reason: Option<String>,
    /// `connection.*`: values asked, saved or discovered, by the blueprint's `connection` schema.
    pub values: Value,
    /// `connection.metadata`, free form.
    pub metadata: Value,
    /// Who it is: `account.id`, `account.name`.
    pub account_id: Option<String>,
    /// See `account_id`.
    pub account_name: Option<String>,
    /// Made in the sandbox, and only good there.
    pub sandbox: bool,
    /// What was granted at the last sign-in or refresh, if the vendor said.
    pub scopes: Option<Vec<String>>,
    /// The secrets.
    pub credentials: Credentials,
    /// Raised by every change: compare-and-swap.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything of it was changed.
    pub updated_at: Timestamp,
    /// When a run last used it.
    pub last_used_at: Option<Timestamp>,
    /// When its token was last refreshed.
    pub last_refreshed_at: Option<Timestamp>,
    /// Why the last refresh failed, if it did.
    pub refresh_failure: Option<String>,
    /// No token request before, because the last one was told "not now".
    pub refresh_retry_at: Option<Timestamp>,
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
}

/// Whether a connection can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// Yes.
    Active,
    /// A person has to sign in again.
    NeedsAuthorization,
    /// Taken back by us.
    Revoked,
}

impl ConnectionStatus {
    /// As it stands in columns and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::NeedsAuthorization => "needs_authorization",
            Self::Revoked => "revoked",
        }
    }

    /// Reads a column.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::NeedsAuthorization, Self::Revoked]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}
