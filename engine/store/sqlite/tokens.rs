//! The statements about one account with its secrets.

use rusqlite::{Connection as Database, Row, named_params};
use serde_json::{Value, json};

use crate::{
    model::{
        account::{Account, AccountKey, Connection, Credentials, Secrets},
        time::Timestamp,
    },
    store::{
        error::Error,
        ports::accounts::NewAccount,
        sqlite::{
            fault::{Fault, is_taken},
            rows, seals,
        },
    },
    vault::Ring,
};

/// One account.
pub fn account(db: &Database, ring: &Ring, key: &AccountKey) -> Result<Option<Account>, Fault> {
    find(db, key, |row| rows::account(row, ring))
}

/// One account with its secrets, opened.
pub fn open(db: &Database, ring: &Ring, key: &AccountKey) -> Result<Option<Connection>, Fault> {
    find(db, key, |row| {
        let (account, readable) = rows::read(row, ring)?;
        let tampered =
            || Error::Tampered { integration: key.integration.clone(), id: key.id.clone() };
        // Without its configuration it might be used at the wrong place.
        let sealed = rows::sealed(row).filter(|_| readable).ok_or_else(tampered)?;
        let credentials = seals::open(ring, key, sealed)?;
        let (generation, fence) = rows::generation(row)?;
        Ok(Connection { account, secrets: Secrets { credentials, generation, fence } })
    })
}

/// One statement for an account and its secrets, so that they are of one moment.
fn find<T>(
    db: &Database,
    key: &AccountKey,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    if let Some(number) = key.number() {
        let sql = format!("{} WHERE a.number = ?1", rows::select());
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query([number])?;
        // The number of one that has a name is not its name.
        let row = rows.next()?.filter(|row| rows::key(row).is_none());
        return row.map(read).transpose();
    }
    let sql = format!("{} WHERE a.integration = ?1 AND a.id = ?2", rows::select());
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query((&key.integration, &key.id))?;
    rows.next()?.map(read).transpose()
}

/// Credentials as they are stored: sealed, and what of them stands in the clear.
pub struct Sealed {
    /// Only the vault opens it.
    pub bytes: Vec<u8>,
    /// See [`seals::checksum`].
    pub checksum: i64,
    /// JSON list.
    pub names: String,
    /// When the access token ends.
    pub expires_at: Option<i64>,
}

impl Sealed {
    /// Seals with the current key.
    pub fn new(ring: &Ring, key: &AccountKey, credentials: &Credentials) -> Result<Self, Fault> {
        let bytes = ring.seal_credentials(&key.integration, &key.id, credentials)?;
        Ok(Self {
            checksum: seals::checksum(&key.integration, &key.id, &bytes),
            bytes,
            names: json!(credentials.names()).to_string(),
            expires_at: credentials.expires_at.map(|time| time.0),
        })
    }
}

/// Adds an account, or gives one of the same key new credentials.
pub fn add(db: &Database, ring: &Ring, new: NewAccount, now: Timestamp) -> Result<Account, Fault> {
    let Connection { mut account, secrets } = new.connection;
    let key = account.key();
    let old = if new.replace { self::account(db, ring, &key)? } else { None };
    if let Some(old) = old {
        account.number = old.number;
        if !old.incarnation.is_empty() {
            account.incarnation = old.incarnation;
        }
        account.version = old.version;
        account.created_at = old.created_at;
        account.last_used_at = old.last_used_at;
        account.last_fetched_at = old.last_fetched_at;
        // What the account is does not change with its keys.
        if account.metadata == json!({}) {
            account.metadata = old.metadata;
        }
        if account.tags.is_empty() {
            account.tags = old.tags;
        }
        account.end_user = account.end_user.or(old.end_user);
        account.organization = account.organization.or(old.organization);
        account.webhook_url_override = account.webhook_url_override.or(old.webhook_url_override);
        // The lifetime of the new token counts from now.
        account.last_refreshed_at = Some(now);
        rows::put_tags(db, account.number, &account.tags)?;
        update(db, &account, now)?;
        replace_secrets(db, ring, &account, &secrets.credentials)?;
        return self::account(db, ring, &key)?.ok_or(Fault::Column("accounts.number"));
    }
    account.number = insert(db, &account)?;
    if !account.tags.is_empty() {
        rows::put_tags(db, account.number, &account.tags)?;
    }
    seals::follow(db, ring)?;
    let sealed = Sealed::new(ring, &key, &secrets.credentials)?;
    db.prepare_cached(
        "INSERT INTO secrets (account, sealed, checksum, names, expires_at, generation, fence)
        VALUES (?1, ?2, ?3, ?4, ?5, 1, 0)",
    )?
    .execute((
        account.number,
        sealed.bytes,
        sealed.checksum,
        sealed.names,
        sealed.expires_at,
    ))?;
    account.expires_at = secrets.credentials.expires_at;
    account.credential_names = secrets.credentials.names();
    Ok(account)
}

/// New credentials by a person's hand: what is under way with the old ones does not touch them.
pub fn replace_secrets(
    db: &Database,
    ring: &Ring,
    account: &Account,
    credentials: &Credentials,
) -> Result<(), Fault> {
    seals::follow(db, ring)?;
    let sealed = Sealed::new(ring, &account.key(), credentials)?;
    db.prepare_cached(
        "INSERT INTO secrets (account, sealed, checksum, names, expires_at, generation, fence)
        VALUES (?1, ?2, ?3, ?4, ?5, 1, 0)
        ON CONFLICT (account) DO UPDATE SET sealed = excluded.sealed,
            checksum = excluded.checksum, names = excluded.names,
            expires_at = excluded.expires_at, generation = generation + 1, parent = NULL,
            token_fence = NULL, fence = fence + 1, holder = NULL, lease_until = NULL,
            lease_boot = NULL, lease_boot_until = NULL, refresh_failure = NULL,
            refresh_retry_at = NULL",
    )?
    .execute((
        account.number,
        sealed.bytes,
        sealed.checksum,
        sealed.names,
        sealed.expires_at,
    ))?;
    Ok(())
}

/// Writes everything of an account but its key, raising the version.
pub fn update(db: &Database, account: &Account, now: Timestamp) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(
        "UPDATE accounts SET version = version + 1, incarnation = :incarnation, status = :status,
            status_reason = :status_reason, scopes = :scopes, account_id = :account_id,
            account_name = :account_name, connection_config = :connection_config,
            metadata = :metadata, end_user_id = :end_user_id, end_user_email = :end_user_email,
            end_user_name = :end_user_name, organization_id = :organization_id,
            organization_name = :organization_name, webhook_url_override = :webhook_url_override,
            sandbox = :sandbox, failures = :failures, updated_at = :updated_at,
            last_refreshed_at = :last_refreshed_at
        WHERE integration = :integration AND id = :id",
    )?;
    write(&mut statement, account, now)?;
    Ok(())
}

fn insert(db: &Database, account: &Account) -> Result<i64, Fault> {
    let mut statement = db.prepare_cached(
        "INSERT INTO accounts (integration, id, incarnation, version, status, status_reason, scopes,
            account_id, account_name, connection_config, metadata, end_user_id, end_user_email,
            end_user_name, organization_id, organization_name, webhook_url_override, sandbox,
            failures, created_at, updated_at, last_refreshed_at)
        VALUES (:integration, :id, :incarnation, 1, :status, :status_reason, :scopes, :account_id,
            :account_name, :connection_config, :metadata, :end_user_id, :end_user_email,
            :end_user_name, :organization_id, :organization_name, :webhook_url_override, :sandbox,
            :failures, :created_at, :updated_at, :last_refreshed_at)",
    )?;
    let created_at = place(&statement, ":created_at")?;
    statement.raw_bind_parameter(created_at, account.created_at.0)?;
    match write(&mut statement, account, account.updated_at) {
        Err(Fault::Sqlite(error)) if is_taken(&error) => {
            let (integration, id) = (account.integration.clone(), account.id.clone());
            Err(Error::Exists { integration, id }.into())
        }
        written => written.map(|()| db.last_insert_rowid()),
    }
}

fn place(statement: &rusqlite::Statement<'_>, name: &str) -> Result<usize, Fault> {
    statement.parameter_index(name)?.ok_or(Fault::Column("accounts"))
}

/// Binds what both statements have.
fn write(
    statement: &mut rusqlite::Statement<'_>,
    account: &Account,
    now: Timestamp,
) -> Result<(), Fault> {
    let end_user = account.end_user.as_ref();
    let organization = account.organization.as_ref();
    let scopes = account.scopes.as_ref().map(|scopes| json!(scopes).to_string());
    for (name, value) in named_params! {
        ":integration": account.integration,
        ":id": account.id,
        ":incarnation": account.incarnation,
        ":status": account.status.as_str(),
        ":status_reason": account.status_reason,
        ":scopes": scopes,
        ":account_id": account.account_id,
        ":account_name": account.account_name,
        ":connection_config": text(&account.connection_config),
        ":metadata": text(&account.metadata),
        ":end_user_id": end_user.map(|user| &user.id),
        ":end_user_email": end_user.and_then(|user| user.email.as_ref()),
        ":end_user_name": end_user.and_then(|user| user.display_name.as_ref()),
        ":organization_id": organization.map(|one| &one.id),
        ":organization_name": organization.and_then(|one| one.display_name.as_ref()),
        ":webhook_url_override": account.webhook_url_override,
        ":sandbox": account.sandbox,
        ":failures": account.failures,
        ":updated_at": now.0,
        ":last_refreshed_at": account.last_refreshed_at.map(|time| time.0),
    } {
        let place = place(statement, name)?;
        statement.raw_bind_parameter(place, value)?;
    }
    statement.raw_execute()?;
    Ok(())
}

fn text(value: &Value) -> String {
    value.to_string()
}
