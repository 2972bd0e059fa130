//! Rows ↔ accounts.

use std::collections::BTreeMap;

use rusqlite::{
    Connection as Database, Row, ToSql,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    model::{
        account::{Account, AccountKey, AccountStatus, EndUser, Organization},
        name::Name,
        time::Timestamp,
    },
    store::sqlite::{fault::Fault, seals},
    vault::Ring,
};

/// The tables that [`account`] reads.
const FROM: &str = "accounts AS a LEFT JOIN secrets AS s ON s.account = a.number";

const COLUMNS: &str = "a.number, a.integration, a.id, a.incarnation, a.version, a.status_reason,
    a.scopes, a.account_id, a.account_name, a.connection_config, a.metadata, a.end_user_id,
    a.end_user_email, a.end_user_name, a.organization_id, a.organization_name,
    a.webhook_url_override, a.sandbox, a.failures, a.created_at, a.updated_at, a.last_fetched_at,
    a.last_used_at, a.last_refreshed_at, s.expires_at, s.names, s.refresh_failure,
    s.refresh_retry_at, a.tags, a.status, s.sealed, s.checksum, s.generation, s.fence";

/// `SELECT …` of accounts as [`account`] reads them.
pub fn select() -> String {
    format!("SELECT {COLUMNS} FROM {FROM}")
}

/// An account. What cannot be read is empty, and makes the account a damaged one: it can be shown,
/// replaced and deleted, and the others are not harmed. One whose name cannot be read is known by its
/// number.
///
/// It is damaged when anything of it cannot be read, when its secrets are not as they were written,
/// and when their key is lost. Nothing but this function says so: filters by status compare what it
/// gives.
pub fn account(row: &Row<'_>, ring: &Ring) -> Result<Account, Fault> {
    Ok(read(row, ring)?.0)
}

/// The same, and whether its columns could be read. By position: looking up names costs more than
/// the row.
pub fn read(row: &Row<'_>, ring: &Ring) -> Result<(Account, bool), Fault> {
    let mut columns = Columns { row, readable: true };
    let status: String = columns.get(29);
    let end_user: Option<String> = columns.get(11);
    let organization: Option<String> = columns.get(14);
    let number = row.get(0)?;
    let key = key(row);
    columns.readable &= key.is_some();
    let AccountKey { integration, id } = key.unwrap_or_else(|| AccountKey::numbered(number));
    let mut account = Account {
        number,
        integration,
        id,
        incarnation: columns.get(3),
        version: columns.get(4),
        status: AccountStatus::Damaged,
        status_reason: columns.get(5),
        scopes: columns.json(6).unwrap_or_default(),
        account_id: columns.get(7),
        account_name: columns.get(8),
        connection_config: columns.json(9).unwrap_or_else(|| json!({})),
        metadata: columns.json(10).unwrap_or_else(|| json!({})),
        tags: columns.json(28).unwrap_or_default(),
        end_user: end_user.map(|id| EndUser {
            id,
            email: columns.get(12),
            display_name: columns.get(13),
        }),
        organization: organization.map(|id| Organization { id, display_name: columns.get(15) }),
        webhook_url_override: columns.get(16),
        sandbox: columns.get(17),
        failures: columns.get(18),
        created_at: Timestamp(columns.get(19)),
        updated_at: Timestamp(columns.get(20)),
        last_fetched_at: columns.time(21),
        last_used_at: columns.time(22),
        last_refreshed_at: columns.time(23),
        expires_at: columns.time(24),
        credential_names: columns.json::<Option<_>>(25).flatten().unwrap_or_default(),
        refresh_failure: columns.get(26),
        refresh_retry_at: columns.time(27),
    };
    let known = AccountStatus::parse(&status);
    let readable = columns.readable && known.is_some();
    if let (true, Some(status)) = (readable && is_sound(row, ring, &account), known) {
        account.status = status;
    }
    Ok((account, readable))
}

/// The name of an account in the second and third column; `None` if it cannot be read.
pub fn key(row: &Row<'_>) -> Option<AccountKey> {
    Some(AccountKey { integration: row.get(1).ok()?, id: row.get(2).ok()? })
}

/// The sealed credentials; `None` if there are none.
pub fn sealed<'r>(row: &'r Row<'_>) -> Option<&'r [u8]> {
    row.get_ref(30).ok()?.as_blob().ok()
}

/// Their generation, and the fence of the last lease.
pub fn generation(row: &Row<'_>) -> Result<(i64, i64), Fault> {
    Ok((row.get(32)?, row.get(33)?))
}

fn is_sound(row: &Row<'_>, ring: &Ring, account: &Account) -> bool {
    sealed(row).is_some_and(|sealed| {
        seals::has_key(ring, sealed)
            && row.get(31) == Ok(seals::checksum(&account.integration, &account.id, sealed))
    })
}

/// A row, and whether what was read of it so far could be.
struct Columns<'r, 's> {
    row: &'r Row<'s>,
    readable: bool,
}

impl Columns<'_, '_> {
    fn get<T: FromSql + Default>(&mut self, place: usize) -> T {
        let found = self.row.get(place);
        self.readable &= found.is_ok();
        found.unwrap_or_default()
    }

    /// JSON; a missing one is `null`.
    fn json<T: DeserializeOwned>(&mut self, place: usize) -> Option<T> {
        let text = self.row.get_ref(place).ok()?.as_str_or_null();
        let found = text.ok().and_then(|text| serde_json::from_str(text.unwrap_or("null")).ok());
        self.readable &= found.is_some();
        found
    }

    fn time(&mut self, place: usize) -> Option<Timestamp> {
        self.get::<Option<i64>>(place).map(Timestamp)
    }
}

impl<K> FromSql for Name<K> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::from_row(value.as_str()?))
    }
}

impl<K> ToSql for Name<K> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

/// Writes the tags of an account: rows for filters, and a column for what shows accounts: reading
/// the rows for each would take longer than the account.
pub fn put_tags(db: &Database, account: i64, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    db.prepare_cached("DELETE FROM tags WHERE account = ?1")?.execute([account])?;
    let mut insert = db.prepare_cached("INSERT INTO tags VALUES (?1, ?2, ?3)")?;
    for (name, value) in tags {
        insert.execute((account, name, value))?;
    }
    let mut column = db.prepare_cached("UPDATE accounts SET tags = ?2 WHERE number = ?1")?;
    column.execute((account, json!(tags).to_string()))?;
    Ok(())
}

/// For integer columns: SQLite has no unsigned ones.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same backwards.
pub fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
