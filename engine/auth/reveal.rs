//! The two ways in which credentials leave the store: opened for use, and revealed to a person.

use crate::{
    model::account::{AccountKey, Connection},
    store::{AuditEntry, Error, Store},
};

/// Opens one connection for use.
pub async fn open(store: &Store, key: &AccountKey) -> Result<Option<Connection>, Error> {
    store.secrets.open(key).await
}

/// Opens one connection to show its credentials, to export or to copy them; written down before it
/// is done. A connection that does not open is an error that harms no other.
pub async fn reveal(
    store: &Store,
    key: &AccountKey,
    who: &str,
) -> Result<Option<Connection>, Error> {
    let entry = AuditEntry {
        who: who.to_owned(),
        what: "credentials.revealed".to_owned(),
        account: key.clone(),
    };
    store.audit.append(vec![entry]).await?;
    store.secrets.open(key).await
}

/// Opens the tokens of a connection that is deleted, to take them back.
pub async fn open_revocation(store: &Store, number: i64) -> Result<Option<Connection>, Error> {
    store.revocations.open(number).await
}
