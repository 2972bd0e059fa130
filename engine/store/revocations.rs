//! The statements about tokens that the vendor has not taken back yet.

use rusqlite::Connection as Database;
use serde_json::json;

use crate::{
    model::{
        connection::{Connection, ConnectionStatus},
        time::Timestamp,
    },
    store::{
        fault::Fault,
        key,
        port::{Error, Revocation},
        ring::Ring,
    },
};

/// Remembers the tokens of a connection that is gone.
pub fn add(
    db: &Database,
    ring: &Ring,
    connection: &Connection,
    now: Timestamp,
) -> Result<(), Fault> {
    let Connection { integration, id, credentials, .. } = connection;
    let sealed = ring
        .seal_credentials(integration, id, credentials)
        .map_err(|error| key::unsealable(&error))?;
    db.execute(
        r#"INSERT INTO revocations
            (integration, id, "values", sandbox, credentials, attempts, reason, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, 0, '', ?6)
        ON CONFLICT DO NOTHING"#,
        (integration, id, connection.values.to_string(), connection.sandbox, sealed, now.0),
    )?;
    Ok(())
}

/// All, oldest first.
pub fn list(db: &Database, ring: &Ring) -> Result<Vec<Revocation>, Fault> {
    let mut statement = db.prepare(
        r#"SELECT integration, id, "values", sandbox, credentials, attempts, reason, created_at
        FROM revocations ORDER BY created_at"#,
    )?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (integration, id): (String, String) = (row.get(0)?, row.get(1)?);
        let sealed: Vec<u8> = row.get(4)?;
        let credentials = ring
            .unseal_credentials(&integration, &id, &sealed)
            .map_err(|_| Error::Tampered { integration: integration.clone(), id: id.clone() })?;
        let values: String = row.get(2)?;
        let created_at = Timestamp(row.get(7)?);
        all.push(Revocation {
            connection: Connection {
                integration,
                id,
                status: ConnectionStatus::Revoked,
                status_reason: None,
                values: serde_json::from_str(&values)
                    .map_err(|_| Fault::Column("revocations.values"))?,
                metadata: json!({}),
                account_id: None,
                account_name: None,
                sandbox: row.get(3)?,
                scopes: None,
                credentials,
                version: 0,
                created_at,
                updated_at: created_at,
                last_used_at: None,
                last_refreshed_at: None,
                refresh_failure: None,
                refresh_retry_at: None,
            },
            attempts: row.get(5)?,
            reason: row.get(6)?,
        });
    }
    Ok(all)
}

/// Forgets one, or notes why it failed.
pub fn settle(db: &Database, revocation: &Revocation, reason: Option<&str>) -> Result<(), Fault> {
    let Connection { integration, id, created_at, .. } = &revocation.connection;
    match reason {
        None => db.execute(
            "DELETE FROM revocations WHERE integration = ?1 AND id = ?2 AND created_at = ?3",
            (integration, id, created_at.0),
        )?,
        Some(reason) => db.execute(
            "UPDATE revocations SET attempts = attempts + 1, reason = ?4
            WHERE integration = ?1 AND id = ?2 AND created_at = ?3",
            (integration, id, created_at.0, reason),
        )?,
    };
    Ok(())
}
