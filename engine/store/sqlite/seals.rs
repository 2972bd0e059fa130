//! Sealed values in rows, and how a damaged one is noticed without opening it.

use rusqlite::Connection as Database;

use crate::{
    model::account::{AccountKey, Credentials},
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

/// A checksum over a sealed value and its place: CRC-32 of the lengths and the parts. It tells a row
/// that was damaged without opening it, for less than a digest costs; a change on purpose
/// changes it as well, and is found out when the value is opened.
pub fn checksum(integration: &str, id: &str, sealed: &[u8]) -> i64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&(integration.len() as u64).to_be_bytes());
    for part in [integration.as_bytes(), id.as_bytes(), sealed] {
        sum.update(part);
    }
    i64::from(sum.finalize())
}

/// Whether the key that sealed a value is there.
pub fn has_key(ring: &Ring, sealed: &[u8]) -> bool {
    seal::key_id(sealed).is_some_and(|by| ring.has(by))
}
