//! Connections: what is kept of an account, and what was done to it. Of its credentials only the
//! names are shown.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use crate::model::{
    account::Account,
    name::{ConnectionId, IntegrationKey},
    time::Timestamp,
};

/// A connection as a line of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionRow {
    /// The integration.
    pub integration: IntegrationKey,
    /// Unique within the integration.
    pub id: ConnectionId,
    /// `active`, `needs_authorization`, `revoked` or `damaged`.
    pub status: &'static str,
    /// The account's name at the vendor, else its id there.
    pub account: Option<String>,
    /// Whether it is only good in the sandbox.
    pub sandbox: bool,
    /// When the access token ends, if known.
    pub expires_at: Option<Timestamp>,
    /// When a run last used it.
    pub last_used_at: Option<Timestamp>,
}

impl From<Account> for ConnectionRow {
    fn from(account: Account) -> Self {
        Self {
            integration: account.integration,
            id: account.id,
            status: account.status.as_str(),
            account: account.account_name.or(account.account_id),
            sandbox: account.sandbox,
            expires_at: account.expires_at,
            last_used_at: account.last_used_at,
        }
    }
}

/// A connection, whole. Its fields are those of [`Account`].
#[derive(Debug, Clone, Serialize)]
pub struct Connection {
    /// Given by the store, never twice.
    pub number: i64,
    /// The integration.
    pub integration: IntegrationKey,
    /// Unique within the integration.
    pub id: ConnectionId,
    /// As in [`ConnectionRow::status`].
    pub status: &'static str,
    /// Why it cannot be used.
    pub status_reason: Option<String>,
    /// As the vendor has it.
    pub account_id: Option<String>,
    /// As the vendor has it.
    pub account_name: Option<String>,
    /// Whether it is only good in the sandbox.
    pub sandbox: bool,
    /// What was granted, if the vendor said.
    pub scopes: Option<Vec<String>>,
    /// Which credentials are set.
    pub credentials: CredentialNames,
    /// Values by the blueprint's `connection` schema, `***` for those that are `writeOnly`.
    pub connection_config: Value,
    /// Free form.
    pub metadata: Value,
    /// Free form, to filter by.
    pub tags: BTreeMap<String, String>,
    /// The operator's own user.
    pub end_user: Option<EndUser>,
    /// The operator's own tenant.
    pub organization: Option<Organization>,
    /// Instead of the environment's webhook URL.
    pub webhook_url_override: Option<String>,
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
    /// Refreshes that failed since the last one that did not.
    pub failures: u32,
    /// Why the last refresh failed, if it did.
    pub refresh_failure: Option<String>,
    /// No token request before.
    pub refresh_retry_at: Option<Timestamp>,
}

impl Connection {
    /// Whom it speaks for at the vendor: a name, else an id.
    pub fn account(&self) -> Option<&str> {
        self.account_name.as_deref().or(self.account_id.as_deref())
    }
}

impl From<Account> for Connection {
    fn from(account: Account) -> Self {
        let connection_config = Value::Object(account.values());
        let names = account.field_names().map(str::to_owned).collect();
        let end_user = account.end_user.map(|user| EndUser {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
        });
        let organization = account
            .organization
            .map(|one| Organization { id: one.id, display_name: one.display_name });
        Self {
            number: account.number,
            integration: account.integration,
            id: account.id,
            status: account.status.as_str(),
            status_reason: account.status_reason,
            account_id: account.account_id,
            account_name: account.account_name,
            sandbox: account.sandbox,
            scopes: account.scopes,
            connection_config,
            credentials: CredentialNames { names, expires_at: account.expires_at },
            metadata: account.metadata,
            tags: account.tags,
            end_user,
            organization,
            webhook_url_override: account.webhook_url_override,
            created_at: account.created_at,
            updated_at: account.updated_at,
            last_fetched_at: account.last_fetched_at,
            last_used_at: account.last_used_at,
            last_refreshed_at: account.last_refreshed_at,
            failures: account.failures,
            refresh_failure: account.refresh_failure,
            refresh_retry_at: account.refresh_retry_at,
        }
    }
}

/// Which credentials are set. Serialises as an object: `set` for each name, and `expires_at` if the
/// end of the access token is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialNames {
    /// `access_token`, `api_key` …
    pub names: Vec<String>,
    /// When the access token ends, if known.
    pub expires_at: Option<Timestamp>,
}

impl Serialize for CredentialNames {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for name in &self.names {
            map.serialize_entry(name, "set")?;
        }
        if let Some(end) = &self.expires_at {
            map.serialize_entry("expires_at", end)?;
        }
        map.end()
    }
}

/// The operator's user whom a connection belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndUser {
    /// The operator's id of them.
    pub id: String,
    /// If known.
    pub email: Option<String>,
    /// If known.
    pub display_name: Option<String>,
}

/// The operator's tenant that a connection belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// The operator's id of it.
    pub id: String,
    /// If known.
    pub display_name: Option<String>,
}

/// A connection beside what its integration asks for.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedConnection {
    /// The connection.
    #[serde(flatten)]
    pub connection: Connection,
    /// The scopes that the integration asks for and the vendor did not grant; `None` if the vendor
    /// never said what it granted.
    pub missing_scopes: Option<Vec<String>>,
}

/// Credentials that an API accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionTest {
    /// Whether they work. Those that do not are a failure with its reason.
    pub works: bool,
    /// The requests that were sent: the ids of the steps of `verify` and `connect.discover`.
    pub asked: Vec<String>,
}

/// What a deletion came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// The connection that is gone.
    pub deleted: DeletedConnection,
    /// How many revocations are left that failed and will be tried again.
    pub pending_revocations: usize,
}

/// A connection that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletedConnection {
    /// The integration.
    pub integration: IntegrationKey,
    /// Its id.
    pub id: ConnectionId,
    /// Whether the vendor revoked its tokens; `None` if the vendor could not be asked.
    pub revoked: Option<bool>,
    /// Why the vendor did not, if it was asked.
    #[serde(skip)]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::account::AccountKey;

    fn account() -> Account {
        let key = AccountKey::parse("acme", "default").unwrap();
        let mut account = Account::new(key, "acc_1".to_owned(), Timestamp(0));
        account.credential_names = vec!["access_token".to_owned(), "refresh_token".to_owned()];
        account.expires_at = Some(Timestamp(1_000));
        account.account_id = Some("a1".to_owned());
        account
    }

    #[test]
    fn credentials_are_only_said_to_be_set() {
        let shown = serde_json::to_value(Connection::from(account())).unwrap();
        assert_eq!(
            shown["credentials"],
            json!({"access_token": "set", "refresh_token": "set", "expires_at": "1970-01-01T00:00:01.000Z"})
        );
        assert_eq!(shown["status"], "active");
        assert!(shown.get("missing_scopes").is_none());
    }

    #[test]
    fn sealed_values_are_masked_and_not_told_among_credentials() {
        let mut account = account();
        account.connection_config = json!({"shop": "north"});
        account.credential_names.push("connection.pin".to_owned());
        let shown = serde_json::to_value(Connection::from(account)).unwrap();
        assert_eq!(shown["connection_config"], json!({"shop": "north", "pin": "***"}));
        assert!(shown["credentials"].get("connection.pin").is_none());
    }

    #[test]
    fn a_row_names_the_account_or_its_id() {
        let mut account = account();
        assert_eq!(ConnectionRow::from(account.clone()).account.as_deref(), Some("a1"));
        account.account_name = Some("Ada".to_owned());
        assert_eq!(ConnectionRow::from(account).account.as_deref(), Some("Ada"));
    }

    #[test]
    fn a_reason_is_for_people() {
        let deletion = Deletion {
            deleted: DeletedConnection {
                integration: "acme".parse().unwrap(),
                id: "default".parse().unwrap(),
                revoked: Some(false),
                reason: Some("it is down".to_owned()),
            },
            pending_revocations: 1,
        };
        assert_eq!(
            serde_json::to_string(&deletion).unwrap(),
            r#"{"deleted":{"integration":"acme","id":"default","revoked":false},"pending_revocations":1}"#
        );
    }
}
