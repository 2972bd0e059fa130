//! Which key seals, and what each has sealed.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::Connection as Database;
use zeroize::Zeroizing;

use crate::{
    model::account::AccountKey,
    store::{
        ports::{
            StoreFuture,
            sealing::{KeyUse, ResealCursor, Resealed, Sealing},
        },
        sqlite::{
            fault::Fault,
            file::Sqlite,
            rows::{self, unsigned},
            seals,
        },
    },
    vault::{self, KeyId, Place, Ring, seal::CREDENTIALS},
};

/// Values that are sealed again within one transaction.
const BATCH: u32 = 200;

/// A table with sealed values.
struct Table {
    /// The last part of the place that its values are bound to.
    field: &'static str,
    /// Rows after `?1` that another key than `?2` has sealed, `?3` at most: number, the first two
    /// parts of the place, the value.
    read: &'static str,
    /// Writes a value (`?2`) and its checksum (`?3`) to row `?1`.
    write: &'static str,
}

const TABLES: [Table; 4] = [
    Table {
        field: CREDENTIALS,
        read: "SELECT a.number, a.integration, a.id, s.sealed
            FROM secrets AS s JOIN accounts AS a ON a.number = s.account
            WHERE s.account > ?1 AND substr(s.sealed, 2, 8) <> ?2 ORDER BY s.account LIMIT ?3",
        write: "UPDATE secrets SET sealed = ?2, checksum = ?3 WHERE account = ?1",
    },
    Table {
        field: CREDENTIALS,
        read: "SELECT number, integration, id, sealed FROM revocations
            WHERE number > ?1 AND substr(sealed, 2, 8) <> ?2 ORDER BY number LIMIT ?3",
        write: "UPDATE revocations SET sealed = ?2 WHERE number = ?1 AND ?3 IS NOT NULL",
    },
    Table {
        field: CREDENTIALS,
        read: "SELECT number, '/consent', state_hash, sealed FROM consents
            WHERE number > ?1 AND substr(sealed, 2, 8) <> ?2 ORDER BY number LIMIT ?3",
        write: "UPDATE consents SET sealed = ?2 WHERE number = ?1 AND ?3 IS NOT NULL",
    },
    Table {
        field: "result",
        read: "SELECT number, idem_scope, idem_key, result FROM jobs
            WHERE number > ?1 AND substr(result, 2, 8) <> ?2 ORDER BY number LIMIT ?3",
        write: "UPDATE jobs SET result = ?2 WHERE number = ?1 AND ?3 IS NOT NULL",
    },
];

const USES: &str = "SELECT key, count(*) FROM (
        SELECT substr(sealed, 2, 8) AS key FROM secrets
        UNION ALL SELECT substr(sealed, 2, 8) FROM revocations
        UNION ALL SELECT substr(sealed, 2, 8) FROM consents
        UNION ALL SELECT substr(result, 2, 8) FROM jobs WHERE result IS NOT NULL
    ) GROUP BY key";

impl Sealing for Sqlite {
    fn proof(&self) -> StoreFuture<'_, Vec<u8>> {
        self.look(seals::proof)
    }

    fn advance(&self, make: bool) -> StoreFuture<'_, bool> {
        let ring = Arc::clone(&self.ring);
        // Within a write: of two rotations at once the second one sees what the first one did, and
        // nobody forgets a key between its writing and its naming.
        self.change(move |db| advance(db, &ring, make))
    }

    fn uses(&self) -> StoreFuture<'_, Vec<KeyUse>> {
        self.read(|db| {
            let uses = uses(db)?;
            Ok(uses.into_iter().map(|(key, values)| KeyUse { key, values }).collect())
        })
    }

    fn reseal(&self, after: ResealCursor) -> StoreFuture<'_, Resealed> {
        let ring = Arc::clone(&self.ring);
        self.change(move |db| reseal(db, &ring, after))
    }

    fn forget(&self) -> StoreFuture<'_, u64> {
        let ring = Arc::clone(&self.ring);
        // Within a write: nobody seals with an old key meanwhile.
        self.change(move |db| {
            seals::follow(db, &ring)?;
            let used: Vec<KeyId> = uses(db)?.into_keys().collect();
            Ok(ring.forget(&used)?)
        })
    }
}

fn advance(db: &Database, ring: &Ring, make: bool) -> Result<bool, Fault> {
    seals::follow(db, ring)?;
    let file = ring.file().is_some();
    // Sources that are no file of ours were read before: a command may take its time.
    let first = |ring: &Ring| match ring.keys().first() {
        Some(_) if file => ring.reload(),
        Some(first) => Ok(*first),
        None => Err(vault::Error::OtherKey),
    };
    let mut wanted = first(ring)?;
    let made = make && file && wanted == ring.current();
    if made {
        ring.put_new()?;
        wanted = first(ring)?;
    }
    if wanted != ring.current() {
        // The ring follows once this is committed.
        let proof = ring.proof(wanted)?;
        db.execute("UPDATE meta SET value = ?1 WHERE name = 'key-check'", [proof])?;
    }
    Ok(made)
}

fn uses(db: &Database) -> Result<BTreeMap<KeyId, u64>, Fault> {
    let mut used = BTreeMap::new();
    let mut statement = db.prepare(USES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // A row that was cut short has no key.
        if let Ok(key) = KeyId::try_from(row.get::<_, Vec<u8>>(0)?) {
            used.insert(key, unsigned(row.get(1)?));
        }
    }
    Ok(used)
}

fn reseal(db: &Database, ring: &Ring, after: ResealCursor) -> Result<Resealed, Fault> {
    let Some(Table { field, read, write }) = TABLES.get(after.table) else {
        return Ok(Resealed { values: 0, next: None });
    };
    seals::follow(db, ring)?;
    let current = ring.current();
    let rows: Vec<(i64, Option<AccountKey>, Vec<u8>)> = db
        .prepare_cached(read)?
        .query_map((after.row, current.as_slice(), BATCH), |row| {
            // One whose name cannot be read opens nowhere.
            Ok((row.get(0)?, rows::key(row), row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut values = 0;
    for (number, key, sealed) in &rows {
        // A damaged row harms itself alone.
        let Some(key) = key else { continue };
        let place = Place { integration: &key.integration, id: &key.id, field };
        let Ok(open) = ring.open(place, sealed, |plain| Ok(Zeroizing::new(plain.to_vec()))) else {
            continue;
        };
        let again = ring.seal(place, &open)?;
        let sum = seals::checksum(&key.integration, &key.id, &again);
        db.prepare_cached(write)?.execute((number, again, sum))?;
        values += 1;
    }
    let next = match rows.last() {
        Some((row, ..)) if rows.len() == BATCH as usize => {
            ResealCursor { table: after.table, row: *row }
        }
        _ => ResealCursor { table: after.table + 1, row: 0 },
    };
    Ok(Resealed { values, next: (next.table < TABLES.len()).then_some(next) })
}
