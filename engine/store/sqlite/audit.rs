//! Who did what.

use crate::{
    model::{account::AccountKey, time::Timestamp},
    store::{
        ports::{
            StoreFuture,
            audit::{Audit, AuditEntry, AuditRow},
        },
        sqlite::file::Sqlite,
    },
};

impl Audit for Sqlite {
    fn append(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()> {
        let now = self.clock.now();
        self.change(move |db| {
            let mut insert = db.prepare_cached(
                "INSERT INTO audit (at, who, what, integration, id, about, source)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for AuditEntry { who, what, account, about, source } in entries {
                let (integration, id) = account.as_ref().map_or(("", ""), |account| {
                    (account.integration.as_str(), account.id.as_str())
                });
                insert.execute((now.0, who, what, integration, id, about, source))?;
            }
            Ok(())
        })
    }

    fn page(&self, before: Option<i64>, limit: u32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.read(move |db| {
            db.prepare_cached(
                "SELECT number, at, who, what, integration, id, about, source FROM audit
                WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2",
            )?
            .query_map((before, limit), |row| {
                let account = AccountKey { integration: row.get(4)?, id: row.get(5)? };
                let entry = AuditEntry {
                    who: row.get(2)?,
                    what: row.get(3)?,
                    account: Some(account).filter(|account| !account.id.is_empty()),
                    about: row.get(6)?,
                    source: row.get(7)?,
                };
                Ok(AuditRow { number: row.get(0)?, at: Timestamp(row.get(1)?), entry })
            })?
            .map(|row| Ok(row?))
            .collect()
        })
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        Self::prune(self, "SELECT 1 FROM audit WHERE at < ?1", before, move |db| {
            let sql = "DELETE FROM audit WHERE number IN (SELECT number FROM audit
                WHERE at < ?1 ORDER BY at LIMIT 1000)";
            Ok(db.execute(sql, [before.0])?)
        })
    }
}
