//! Connections as they may be seen.

use serde_json::{Map, Value, json};

use crate::model::{connection::Connection, time::Timestamp};

/// A connection as a line of a table.
pub fn row(connection: &Connection) -> Value {
    json!({
        "integration": connection.integration,
        "id": connection.id,
        "status": connection.status.as_str(),
        "account": connection.account_name.as_ref().or(connection.account_id.as_ref()),
        "sandbox": connection.sandbox,
        "expires_at": time(connection.credentials.expires_at),
        "last_used_at": time(connection.last_used_at),
    })
}

/// A connection, whole; of its credentials only what is set.
pub fn whole(connection: &Connection) -> Value {
    let set = |name: &String| (name.clone(), Value::from("set"));
    let mut credentials: Map<String, Value> =
        connection.credentials.fields.keys().map(set).collect();
    if let Some(end) = time(connection.credentials.expires_at) {
        credentials.insert("expires_at".to_owned(), end.into());
    }
    json!({
        "integration": connection.integration,
        "id": connection.id,
        "status": connection.status.as_str(),
        "status_reason": connection.status_reason,
        "account_id": connection.account_id,
        "account_name": connection.account_name,
        "sandbox": connection.sandbox,
        "scopes": connection.scopes,
        "credentials": credentials,
        "values": connection.values,
        "metadata": connection.metadata,
        "created_at": connection.created_at.to_string(),
        "updated_at": connection.updated_at.to_string(),
        "last_used_at": time(connection.last_used_at),
        "last_refreshed_at": time(connection.last_refreshed_at),
        "refresh_failure": connection.refresh_failure,
    })
}

fn time(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        connection::{ConnectionStatus, Credentials},
        secret::Secret,
    };

    #[test]
    fn secrets_are_only_said_to_be_set() {
        let secret = || Secret::new("MARKED".to_owned());
        let connection = Connection {
            integration: "x".into(),
            id: "default".into(),
            status: ConnectionStatus::Active,
            status_reason: None,
            values: json!({"shop": "a"}),
            metadata: json!({}),
            account_id: None,
            account_name: None,
            sandbox: false,
            scopes: None,
            credentials: Credentials {
                fields: [("access_token".to_owned(), secret())].into(),
                expires_at: Some(Timestamp(1_700_000_000_000)),
                raw: Some(secret()),
            },
            version: 1,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            last_used_at: None,
            last_refreshed_at: None,
            refresh_failure: None,
            refresh_retry_at: None,
        };
        for shown in [row(&connection), whole(&connection)] {
            assert!(!shown.to_string().contains("MARKED"), "{shown}");
        }
        assert_eq!(
            whole(&connection)["credentials"],
            json!({"access_token": "set", "expires_at": "2023-11-14T22:13:20.000Z"})
        );
    }
}
