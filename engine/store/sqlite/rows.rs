//! Rows ↔ accounts.

use std::collections::BTreeMap;

use rusqlite::{Connection as Database, Row};
use serde_json::Value;

use crate::{
    model::{
        account::{Account, AccountStatus, EndUser, Organization},
        time::Timestamp,
    },
    store::sqlite::fault::Fault,
};

/// Whether the secrets of a row are as they were written, and their key is there.
pub const STATUS: &str = "CASE WHEN sound(a.integration, a.id, s.sealed, s.checksum)
    THEN a.status ELSE 'damaged' END";

/// The tables that [`account`] reads.
pub const FROM: &str = "accounts AS a LEFT JOIN secrets AS s ON s.account = a.number";

/// The columns that [`account`] reads, without the status.
const COLUMNS: &str = "a.number, a.integration, a.id, a.incarnation, a.version, a.status_reason,
    a.scopes, a.account_id, a.account_name, a.connection_config, a.metadata, a.end_user_id,
    a.end_user_email, a.end_user_name, a.organization_id, a.organization_name,
    a.webhook_url_override, a.sandbox, a.failures, a.created_at, a.updated_at, a.last_fetched_at,
    a.last_used_at, a.last_refreshed_at, s.expires_at, s.names, s.refresh_failure,
    s.refresh_retry_at, (SELECT json_group_object(name, value) FROM tags WHERE account = a.number)";

/// `SELECT …` of accounts as [`account`] reads them.
pub fn select() -> String {
    format!("SELECT {COLUMNS}, {STATUS} FROM {FROM}")
}

/// An account. By position: looking up names costs more than the row.
pub fn account(row: &Row<'_>) -> Result<Account, Fault> {
    let status: String = row.get(29)?;
    let tags: String = row.get(28)?;
    let end_user: Option<String> = row.get(11)?;
    let organization: Option<String> = row.get(14)?;
    Ok(Account {
        number: row.get(0)?,
        integration: row.get(1)?,
        id: row.get(2)?,
        incarnation: row.get(3)?,
        version: row.get(4)?,
        status: AccountStatus::parse(&status).ok_or(Fault::Column("accounts.status"))?,
        status_reason: row.get(5)?,
        scopes: list(row, 6, "accounts.scopes")?,
        account_id: row.get(7)?,
        account_name: row.get(8)?,
        connection_config: json(row, 9, "accounts.connection_config")?,
        metadata: json(row, 10, "accounts.metadata")?,
        tags: pairs(&tags)?,
        end_user: match end_user {
            Some(id) => Some(EndUser { id, email: row.get(12)?, display_name: row.get(13)? }),
            None => None,
        },
        organization: match organization {
            Some(id) => Some(Organization { id, display_name: row.get(15)? }),
            None => None,
        },
        webhook_url_override: row.get(16)?,
        sandbox: row.get(17)?,
        failures: row.get(18)?,
        created_at: Timestamp(row.get(19)?),
        updated_at: Timestamp(row.get(20)?),
        last_fetched_at: time(row, 21)?,
        last_used_at: time(row, 22)?,
        last_refreshed_at: time(row, 23)?,
        expires_at: time(row, 24)?,
        credential_names: list(row, 25, "secrets.names")?.unwrap_or_default(),
        refresh_failure: row.get(26)?,
        refresh_retry_at: time(row, 27)?,
    })
}

/// Writes the tags of an account anew.
pub fn put_tags(db: &Database, account: i64, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM tags WHERE account = ?1")?.execute([account])?;
    add_tags(db, account, tags)
}

/// Writes the tags of a new account.
pub fn add_tags(db: &Database, account: i64, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    let mut insert = db.prepare_cached("INSERT INTO tags VALUES (?1, ?2, ?3)")?;
    for (name, value) in tags {
        insert.execute((account, name, value))?;
    }
    Ok(())
}

fn pairs(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    if text == "{}" {
        return Ok(BTreeMap::new());
    }
    serde_json::from_str(text).map_err(|_| Fault::Column("tags.value"))
}

fn list(row: &Row<'_>, place: usize, name: &'static str) -> Result<Option<Vec<String>>, Fault> {
    let text = row.get_ref(place)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    text.map(|text| serde_json::from_str(text).map_err(|_| Fault::Column(name))).transpose()
}

fn json(row: &Row<'_>, place: usize, name: &'static str) -> Result<Value, Fault> {
    let text = row.get_ref(place)?.as_str().map_err(rusqlite::Error::from)?;
    serde_json::from_str(text).map_err(|_| Fault::Column(name))
}

/// A time that may be missing.
pub fn time(row: &Row<'_>, place: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(row.get::<_, Option<i64>>(place)?.map(Timestamp))
}

/// For integer columns: SQLite has no unsigned ones.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same backwards.
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
