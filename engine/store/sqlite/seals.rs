//! Sealed values in rows, and how a damaged one is noticed without opening it.

use std::sync::Arc;

use rusqlite::{Connection as Database, functions::FunctionFlags};

use crate::{
    model::account::{AccountKey, Credentials},
    sign::digest,
    store::{error::Error, sqlite::fault::Fault},
    vault::{self, Ring, seal},
};

/// Seals from here on with the key that the file names. To be called within the transaction that
/// seals, so that the key is still the current one when it is committed.
pub fn follow(db: &Database, ring: &Ring) -> Result<(), Fault> {
    Ok(ring.follow(&proof(db)?)?)
}

/// The proof of the key that seals.
pub fn proof(db: &Database) -> Result<Vec<u8>, Fault> {
    let sql = "SELECT value FROM meta WHERE name = 'key-check'";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Opens the credentials of an account.
pub fn open(ring: &Ring, key: &AccountKey, sealed: &[u8]) -> Result<Credentials, Error> {
    ring.unseal_credentials(&key.integration, &key.id, sealed).map_err(|error| match error {
        seal::Error::OtherKey | seal::Error::Damaged => {
            Error::Tampered { integration: key.integration.clone(), id: key.id.clone() }
        }
        seal::Error::NoRandom => vault::Error::from(error).into(),
    })
}

/// Eight bytes of a digest over a sealed value and its place. It tells a row that was damaged; who
/// changes a row on purpose changes this as well, and is found out when it is opened.
pub fn checksum(key: &AccountKey, sealed: &[u8]) -> i64 {
    sum(&key.integration, &key.id, sealed)
}

fn sum(integration: &str, id: &str, sealed: &[u8]) -> i64 {
    let mut text = Vec::with_capacity(integration.len() + id.len() + sealed.len() + 8);
    text.extend_from_slice(&(integration.len() as u64).to_be_bytes());
    for part in [integration.as_bytes(), id.as_bytes(), sealed] {
        text.extend_from_slice(part);
    }
    let digest = digest::sha256(&text);
    digest.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// Lets statements ask `sound(integration, id, sealed, checksum)`: whether the value is as it was
/// written, and its key is there.
pub fn register(db: &Database, ring: &Arc<Ring>) -> Result<(), Fault> {
    let ring = Arc::clone(ring);
    db.create_scalar_function("sound", 4, FunctionFlags::SQLITE_UTF8, move |row| {
        let text = |place: usize| Ok::<_, rusqlite::Error>(row.get_raw(place).as_str()?);
        let Ok(sealed) = row.get_raw(2).as_blob() else { return Ok(false) };
        let Some(by) = seal::key_id(sealed) else { return Ok(false) };
        Ok(ring.has(by) && sum(text(0)?, text(1)?, sealed) == row.get::<i64>(3)?)
    })?;
    Ok(())
}
