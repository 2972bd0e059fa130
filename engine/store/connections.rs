//! The statements about connections.

use rusqlite::{Connection as Database, OptionalExtension, named_params};

use crate::{
    model::{connection::Connection, time::Timestamp},
    store::{
        fault::{Fault, is_taken},
        key,
        port::Error,
        ring::Ring,
        rows,
    },
};

/// One connection.
pub fn get(
    db: &Database,
    ring: &Ring,
    (integration, id): (&str, &str),
) -> Result<Option<Connection>, Fault> {
    let sql =
        format!("SELECT {} FROM connections WHERE integration = ?1 AND id = ?2", rows::CONNECTION);
    let mut statement = db.prepare_cached(&sql)?;
    statement
        .query_row([integration, id], |row| Ok(rows::connection(row, ring)))
        .optional()?
        .transpose()
}

/// All of one integration, or all, in order.
pub fn list(
    db: &Database,
    ring: &Ring,
    integration: Option<&str>,
) -> Result<Vec<Connection>, Fault> {
    let sql = format!(
        "SELECT {} FROM connections WHERE ?1 IS NULL OR integration = ?1 ORDER BY integration, id",
        rows::CONNECTION
    );
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_and_then([integration], |row| rows::connection(row, ring))?.collect()
}

/// Adds one.
pub fn insert(db: &Database, ring: &Ring, connection: &Connection) -> Result<(), Fault> {
    ring.follow(db)?;
    let mut statement = db.prepare_cached(
        r#"INSERT INTO connections (integration, id, status, status_reason, "values", metadata,
            account_id, account_name, sandbox, scopes, credentials, version, created_at, updated_at,
            last_used_at, last_refreshed_at, refresh_failure, refresh_retry_at)
        VALUES (:integration, :id, :status, :status_reason, :values, :metadata, :account_id,
            :account_name, :sandbox, :scopes, :credentials, :version, :created_at, :updated_at,
            :last_used_at, :last_refreshed_at, :refresh_failure, :refresh_retry_at)"#,
    )?;
    match write(&mut statement, ring, connection) {
        Err(Fault::Sqlite(error)) if is_taken(&error) => {
            let (integration, id) = (connection.integration.clone(), connection.id.clone());
            Err(Error::Exists { integration, id }.into())
        }
        written => written.map(|_| ()),
    }
}

/// Replaces one that nobody changed meanwhile. The time of its making tells a connection from a
/// later one of the same id, whose version may be the same.
pub fn update(db: &Database, ring: &Ring, connection: &Connection) -> Result<i64, Fault> {
    ring.follow(db)?;
    let mut statement = db.prepare_cached(
        r#"UPDATE connections SET status = :status, status_reason = :status_reason,
            "values" = :values, metadata = :metadata, account_id = :account_id,
            account_name = :account_name, sandbox = :sandbox, scopes = :scopes,
            credentials = :credentials,
            version = version + 1, updated_at = :updated_at,
            last_used_at = coalesce(max(last_used_at, :last_used_at), last_used_at, :last_used_at),
            last_refreshed_at = :last_refreshed_at, refresh_failure = :refresh_failure,
            refresh_retry_at = :refresh_retry_at
        WHERE integration = :integration AND id = :id AND version = :version
            AND created_at = :created_at"#,
    )?;
    if write(&mut statement, ring, connection)? == 0 {
        let (integration, id) = (connection.integration.clone(), connection.id.clone());
        return Err(Error::Changed { integration, id }.into());
    }
    Ok(connection.version.saturating_add(1))
}

fn write(
    statement: &mut rusqlite::Statement<'_>,
    ring: &Ring,
    connection: &Connection,
) -> Result<usize, Fault> {
    let sealed = ring
        .seal_credentials(&connection.integration, &connection.id, &connection.credentials)
        .map_err(|error| key::unsealable(&error))?;
    Ok(statement.execute(named_params! {
        ":integration": connection.integration,
        ":id": connection.id,
        ":status": connection.status.as_str(),
        ":status_reason": connection.status_reason,
        ":values": connection.values.to_string(),
        ":metadata": connection.metadata.to_string(),
        ":account_id": connection.account_id,
        ":account_name": connection.account_name,
        ":sandbox": connection.sandbox,
        ":scopes": connection.scopes.as_ref().map(|scopes| serde_json::json!(scopes).to_string()),
        ":credentials": sealed,
        ":version": connection.version,
        ":created_at": connection.created_at.0,
        ":updated_at": connection.updated_at.0,
        ":last_used_at": connection.last_used_at.map(|time| time.0),
        ":last_refreshed_at": connection.last_refreshed_at.map(|time| time.0),
        ":refresh_failure": connection.refresh_failure,
        ":refresh_retry_at": connection.refresh_retry_at.map(|time| time.0),
    })?)
}

/// Removes one; whether there was one.
pub fn delete(db: &Database, integration: &str, id: &str) -> Result<bool, Fault> {
    let sql = "DELETE FROM connections WHERE integration = ?1 AND id = ?2";
    Ok(db.execute(sql, [integration, id])? > 0)
}

/// Notes a use.
pub fn touch(db: &Database, (integration, id): (&str, &str), now: Timestamp) -> Result<(), Fault> {
    db.prepare_cached(
        "UPDATE connections SET last_used_at = max(coalesce(last_used_at, ?3), ?3)
        WHERE integration = ?1 AND id = ?2",
    )?
    .execute((integration, id, now.0))?;
    Ok(())
}
