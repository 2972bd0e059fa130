//! The two ways in which credentials leave the store: opened for use, and revealed to a person.

use crate::{
    model::account::{AccountKey, Connection},
    store::{AuditEntry, Error, Store, Use},
};

/// Opens one connection for use.
pub async fn open(store: &Store, key: &AccountKey) -> Result<Option<Connection>, Error> {
    store.secrets.open(key).await
}

/// Opens connections to show their credentials, to export or to copy them; written down before it
/// is done. One that does not open is an error that harms no other; one that is gone is nothing.
pub async fn reveal(
    store: &Store,
    keys: &[AccountKey],
    who: &str,
) -> Result<Vec<Result<Option<Connection>, Error>>, Error> {
    let entry = |key: &AccountKey| AuditEntry {
        who: who.to_owned(),
        what: "credentials.revealed".to_owned(),
        account: Some(key.clone()),
        about: None,
        source: None,
    };
    store.audit.append(keys.iter().map(entry).collect()).await?;
    let mut revealed = Vec::with_capacity(keys.len());
    for key in keys {
        let opened = store.secrets.open(key).await;
        if matches!(opened, Ok(Some(_))) {
            store.accounts.touch(key.clone(), Use::Fetch);
        }
        revealed.push(opened);
    }
    Ok(revealed)
}

/// Opens the tokens of a connection that is deleted, to take them back.
pub async fn open_revocation(store: &Store, number: i64) -> Result<Option<Connection>, Error> {
    store.revocations.open(number).await
}
