//! Tokens that the vendor has not taken back yet.

use std::sync::Arc;

use rusqlite::OptionalExtension;

use crate::{
    model::{
        account::{Account, AccountKey, AccountStatus, Connection},
        time::Timestamp,
    },
    store::{
        ports::{
            StoreFuture,
            revocations::{Revocation, Revocations},
        },
        sqlite::{fault::Fault, file::Sqlite, seals},
    },
};

impl Revocations for Sqlite {
    fn pending(&self) -> StoreFuture<'_, Vec<Revocation>> {
        self.read(|db| {
            db.prepare_cached(
                "SELECT number, integration, id, attempts, reason FROM revocations ORDER BY number",
            )?
            .query_map([], |row| {
                Ok(Revocation {
                    number: row.get(0)?,
                    account: AccountKey { integration: row.get(1)?, id: row.get(2)? },
                    attempts: row.get(3)?,
                    reason: row.get(4)?,
                })
            })?
            .map(|row| Ok(row?))
            .collect()
        })
    }

    fn open(&self, number: i64) -> StoreFuture<'_, Option<Connection>> {
        let ring = Arc::clone(&self.ring);
        self.read(move |db| {
            let row = db
                .prepare_cached(
                    "SELECT integration, id, connection_config, sealed, created_at FROM revocations
                    WHERE number = ?1",
                )?
                .query_row([number], |row| {
                    let key = AccountKey { integration: row.get(0)?, id: row.get(1)? };
                    let (config, sealed): (String, Vec<u8>) = (row.get(2)?, row.get(3)?);
                    Ok((key, config, sealed, Timestamp(row.get(4)?)))
                })
                .optional()?;
            let Some((key, config, sealed, at)) = row else { return Ok(None) };
            let credentials = seals::open(&ring, &key, &sealed)?;
            let mut account = Account::new(key, String::new(), at);
            account.status = AccountStatus::Revoked;
            account.connection_config = serde_json::from_str(&config)
                .map_err(|_| Fault::Column("revocations.connection_config"))?;
            Ok(Some(Connection::new(account, credentials)))
        })
    }

    fn settle(&self, number: i64, reason: Option<String>) -> StoreFuture<'_, ()> {
        self.change(move |db| {
            let sql =
                "UPDATE revocations SET attempts = attempts + 1, reason = ?2 WHERE number = ?1";
            match reason {
                None => db.execute("DELETE FROM revocations WHERE number = ?1", [number])?,
                Some(reason) => db.execute(sql, (number, reason))?,
            };
            Ok(())
        })
    }
}
