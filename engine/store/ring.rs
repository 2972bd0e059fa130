//! The keys of a store: one seals, all open. A new key takes over while others work, and old ones
//! leave when nothing is sealed with them any more.
//!
//! Which key seals is written in the file itself (`key-check`), so that every process follows a
//! rotation at its next write, by reading its key's source again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection as Database, TransactionBehavior};

use crate::{
    model::connection::Credentials,
    sign::digest::hex,
    store::{
        fault::Fault,
        key::{self, KeySource},
        port::{Error, KeyUse, Rotation},
        seal::{self, KEY_ID, Key},
    },
};

/// Values that are sealed again within one transaction.
const BATCH: u32 = 200;
/// The tables with sealed credentials.
const TABLES: [&str; 2] = ["connections", "revocations"];

/// See the module.
pub struct Ring {
    source: KeySource,
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    keys: Vec<Key>,
    /// The one that seals.
    current: [u8; KEY_ID],
}

impl State {
    fn key(&self, id: [u8; KEY_ID]) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == id)
    }
}

impl Ring {
    /// The first key seals until [`Ring::follow`] says otherwise.
    pub fn new(keys: Vec<Key>, source: KeySource, path: &Path) -> Self {
        let current = keys.first().map(Key::id).unwrap_or_default();
        Self { source, path: path.to_owned(), state: Mutex::new(State { keys, current }) }
    }

    /// Seals credentials with the current key.
    pub fn seal_credentials(
        &self,
        integration: &str,
        id: &str,
        credentials: &Credentials,
    ) -> Result<Vec<u8>, seal::Error> {
        let state = self.lock();
        let key = state.key(state.current).ok_or(seal::Error::OtherKey)?;
        key.seal_credentials(integration, id, credentials)
    }

    /// Opens credentials with the key that sealed them. A key that took over since this process
    /// began is looked for in the source.
    pub fn unseal_credentials(
        &self,
        integration: &str,
        id: &str,
        sealed: &[u8],
    ) -> Result<Credentials, seal::Error> {
        let by = seal::key_id(sealed).ok_or(seal::Error::Damaged)?;
        let mut state = self.lock();
        if state.key(by).is_none()
            && let Ok(keys) = key::find(&self.source, &self.path)
        {
            state.keys = keys;
        }
        let key = state.key(by).ok_or(seal::Error::OtherKey)?;
        key.unseal_credentials(integration, id, sealed)
    }

    /// For what callers get to hold.
    pub fn token_key(&self) -> [u8; 32] {
        let state = self.lock();
        state.key(state.current).map(Key::token_key).unwrap_or_default()
    }

    /// Seals from here on with the key that the file names.
    pub fn follow(&self, db: &Database) -> Result<(), Fault> {
        let proof: Vec<u8> = db
            .prepare_cached("SELECT value FROM meta WHERE name = 'key-check'")?
            .query_row([], |row| row.get(0))?;
        let wanted = seal::key_id(&proof).unwrap_or_default();
        let mut state = self.lock();
        if state.current == wanted {
            return Ok(());
        }
        if state.key(wanted).is_none() {
            state.keys = key::find(&self.source, &self.path)?;
        }
        match state.key(wanted) {
            Some(key) if key.proves(&proof) => state.current = wanted,
            Some(_) | None => {
                return Err(Error::WrongKey { path: self.path.display().to_string() }.into());
            }
        }
        Ok(())
    }

    /// See [`crate::store::Store::rotate`].
    pub fn rotate(&self, db: &mut Database) -> Result<Rotation, Fault> {
        self.follow(db)?;
        let file = key::own_file(&self.source, &self.path);
        let first = self.reload()?;
        let mut made = false;
        // An interrupted rotation goes on: its key is the first one already.
        if let Some(path) = file.as_ref().filter(|_| first == self.lock().current)
            && strays(db, first)? == 0
        {
            key::put_new(path)?;
            made = true;
        }
        let first = self.reload()?;
        self.take_over(db, first)?;
        let mut resealed = 0;
        for table in TABLES {
            loop {
                let batch = self.reseal(db, table)?;
                resealed += batch;
                if batch == 0 {
                    break;
                }
            }
        }
        Ok(Rotation { resealed, made, ..self.state(db)? })
    }

    /// See [`crate::store::Store::forget_keys`].
    pub fn forget(&self, db: &mut Database) -> Result<Rotation, Fault> {
        self.follow(db)?;
        self.reload()?;
        let Some(path) = key::own_file(&self.source, &self.path) else { return self.state(db) };
        // Under the lock: nobody seals with an old key meanwhile.
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let used = uses(&change)?;
        let current = self.lock().current;
        let removed = key::keep(&path, |key| key.id() == current || used.contains_key(&key.id()))?;
        change.commit()?;
        self.reload()?;
        Ok(Rotation { removed: removed as u64, ..self.state(db)? })
    }

    /// See [`crate::store::Store::keys`].
    pub fn state(&self, db: &Database) -> Result<Rotation, Fault> {
        let mut used = uses(db)?;
        let state = self.lock();
        let mut keys: Vec<KeyUse> = state
            .keys
            .iter()
            .map(|key| KeyUse {
                id: hex(&key.id()),
                current: key.id() == state.current,
                values: used.remove(&key.id()).unwrap_or_default(),
                present: true,
            })
            .collect();
        keys.extend(used.into_iter().map(|(id, values)| KeyUse {
            id: hex(&id),
            current: false,
            values,
            present: false,
        }));
        let file = key::own_file(&self.source, &self.path);
        Ok(Rotation { keys, file, ..Rotation::default() })
    }

    /// Reads the source again; the first key's id.
    fn reload(&self) -> Result<[u8; KEY_ID], Error> {
        let keys = key::find(&self.source, &self.path)?;
        let first = keys.first().map(Key::id).unwrap_or_default();
        self.lock().keys = keys;
        Ok(first)
    }

    /// From here on everybody seals with this key.
    fn take_over(&self, db: &mut Database, id: [u8; KEY_ID]) -> Result<(), Fault> {
        let mut state = self.lock();
        let Some(key) = state.key(id) else {
            return Err(Error::WrongKey { path: self.path.display().to_string() }.into());
        };
        let proof = key.proof().map_err(|error| key::unsealable(&error))?;
        if state.current != id {
            db.execute("UPDATE meta SET value = ?1 WHERE name = 'key-check'", [proof])?;
        }
        state.current = id;
        Ok(())
    }

    /// Seals some values again; how many. Versions stay: nothing has changed for anybody.
    fn reseal(&self, db: &mut Database, table: &str) -> Result<u64, Fault> {
        let current = self.lock().current;
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows: Vec<(String, String, Vec<u8>)> = change
            .prepare(&format!(
                "SELECT integration, id, credentials FROM {table}
                WHERE substr(credentials, 2, 8) <> ?1 LIMIT {BATCH}"
            ))?
            .query_map([current.as_slice()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let place = |integration: &str, id: &str| Error::Tampered {
            integration: integration.to_owned(),
            id: id.to_owned(),
        };
        for (integration, id, sealed) in &rows {
            let credentials = self
                .unseal_credentials(integration, id, sealed)
                .map_err(|_| place(integration, id))?;
            let again = self
                .seal_credentials(integration, id, &credentials)
                .map_err(|error| key::unsealable(&error))?;
            change.execute(
                &format!(
                    "UPDATE {table} SET credentials = ?1
                    WHERE integration = ?2 AND id = ?3 AND credentials = ?4"
                ),
                (again, integration, id, sealed),
            )?;
        }
        change.commit()?;
        Ok(rows.len() as u64)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values that another key than this one has sealed.
fn strays(db: &Database, id: [u8; KEY_ID]) -> Result<u64, Fault> {
    Ok(uses(db)?.into_iter().filter(|(by, _)| *by != id).map(|(_, values)| values).sum())
}

/// How many values each key has sealed.
fn uses(db: &Database) -> Result<BTreeMap<[u8; KEY_ID], u64>, Fault> {
    let mut used = BTreeMap::new();
    for table in TABLES {
        let mut statement = db.prepare(&format!(
            "SELECT substr(credentials, 2, 8), count(*) FROM {table} GROUP BY 1"
        ))?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)))?;
        for row in rows {
            let (id, count) = row?;
            if let Ok(id) = <[u8; KEY_ID]>::try_from(id) {
                *used.entry(id).or_default() += u64::try_from(count).unwrap_or_default();
            }
        }
    }
    Ok(used)
}
