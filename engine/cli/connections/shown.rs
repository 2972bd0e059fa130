//! Accounts as they may be seen.

use serde_json::{Map, Value, json};

use crate::model::{account::Account, time::Timestamp};

/// An account as a line of a table.
pub fn row(account: &Account) -> Value {
    json!({
        "integration": account.integration,
        "id": account.id,
        "status": account.status.as_str(),
        "account": account.account_name.as_ref().or(account.account_id.as_ref()),
        "sandbox": account.sandbox,
        "expires_at": time(account.expires_at),
        "last_used_at": time(account.last_used_at),
    })
}

/// An account, whole; of its credentials only what is set.
pub fn whole(account: &Account) -> Value {
    let set = |name: &String| (name.clone(), Value::from("set"));
    let mut credentials: Map<String, Value> = account.credential_names.iter().map(set).collect();
    if let Some(end) = time(account.expires_at) {
        credentials.insert("expires_at".to_owned(), end.into());
    }
    let end_user = account
        .end_user
        .as_ref()
        .map(|user| json!({"id": user.id, "email": user.email, "display_name": user.display_name}));
    let organization = account.organization.as_ref();
    json!({
        "number": account.number,
        "integration": account.integration,
        "id": account.id,
        "status": account.status.as_str(),
        "status_reason": account.status_reason,
        "account_id": account.account_id,
        "account_name": account.account_name,
        "sandbox": account.sandbox,
        "scopes": account.scopes,
        "credentials": credentials,
        "connection_config": account.connection_config,
        "metadata": account.metadata,
        "tags": account.tags,
        "end_user": end_user,
        "organization":
            organization.map(|one| json!({"id": one.id, "display_name": one.display_name})),
        "webhook_url_override": account.webhook_url_override,
        "created_at": account.created_at.to_string(),
        "updated_at": account.updated_at.to_string(),
        "last_fetched_at": time(account.last_fetched_at),
        "last_used_at": time(account.last_used_at),
        "last_refreshed_at": time(account.last_refreshed_at),
        "failures": account.failures,
        "refresh_failure": account.refresh_failure,
        "refresh_retry_at": time(account.refresh_retry_at),
    })
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}
