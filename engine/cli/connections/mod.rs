//! `engine connections`: accounts. No secret is ever printed but by an export that asks for it.

mod choose;
mod add;
mod transfer;

use serde_json::{Map, Value, json};

use crate::{
    cli::{args::Connections, context::Cx, report::Exit},
    engine::Engine,
    error::Error,
    model::{connection::Connection, time::Timestamp},
};

/// Does what was asked.
pub fn connections(cx: &Cx, engine: &Engine, command: Connections) -> Result<Exit, Error> {
    match command {
        Connections::Add(args) => {
            let added = add::add(cx, engine, args)?;
            let Connection { integration, id, .. } = &added;
            cx.say(&format!("connection `{id}` of `{integration}` is stored\n"));
            if cx.for_programs() {
                cx.print(&whole(&added));
            }
        }
        Connections::List { integration } => {
            let all = engine.store()?.connections(integration.as_deref())?;
            cx.print(&all.iter().map(row).collect());
        }
        Connections::Show(args) => {
            let (integration, wanted) = (args.integration.as_str(), args.connection.as_deref());
            cx.print(&whole(&choose::choose(engine, integration, wanted)?));
        }
        Connections::Delete(args) => {
            let (integration, wanted) = (args.integration.as_str(), args.connection.as_deref());
            let Connection { integration, id, .. } = choose::choose(engine, integration, wanted)?;
            engine.store()?.delete(&integration, &id)?;
            cx.say(&format!("connection `{id}` of `{integration}` is deleted\n"));
            if cx.for_programs() {
                cx.print(&json!({"deleted": {"integration": integration, "id": id}}));
            }
        }
        Connections::Import { replace } => return transfer::import(cx, engine, replace),
        Connections::Export { integration, with_secrets, to } => {
            let file = to.map(|path| cx.here.join(path));
            transfer::export(cx, engine, (integration.as_deref(), with_secrets, file.as_deref()))?;
        }
    }
    Ok(Exit::Done)
}

/// A connection as a line of a table.
fn row(connection: &Connection) -> Value {
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
fn whole(connection: &Connection) -> Value {
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
