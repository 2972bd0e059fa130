//! The keys of a store: one seals, all open. A new key takes over while others work, and old ones
//! leave when nothing is sealed with them any more.
//!
//! Which key seals is written in the store (its *proof*, a value that only this key opens), so that
//! every process follows a rotation at its next write, by reading its key's source again.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    model::account::Credentials,
    vault::{
        error::Error,
        key::{self, KeyFile},
        seal::{self, Key, KeyId, Place},
    },
};

/// So many lost keys are remembered as lost.
const MOST_LOST: usize = 64;

/// See the module.
pub struct Ring {
    /// `None`: the keys end with the process.
    origin: Option<KeyFile>,
    state: Mutex<State>,
}

struct State {
    keys: Vec<Key>,
    /// The one that seals.
    current: KeyId,
    /// Keys that were looked for in the source, and are not there.
    lost: Vec<KeyId>,
}

impl State {
    fn key(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == id)
    }
}

impl Ring {
    /// The first key seals until [`Ring::follow`] says otherwise.
    pub fn new(keys: Vec<Key>, origin: Option<KeyFile>) -> Self {
        let current = keys.first().map(Key::id).unwrap_or_default();
        Self { origin, state: Mutex::new(State { keys, current, lost: Vec::new() }) }
    }

    /// Seals bytes with the current key.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, Error> {
        self.with_current(|key| {
            key.seal(place, plain.len(), |buffer| {
                buffer.extend_from_slice(plain);
                Ok(())
            })
        })
    }

    /// Opens bytes with the key that sealed them.
    pub fn open<T>(
        &self,
        place: Place<'_>,
        sealed: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, seal::Error>,
    ) -> Result<T, seal::Error> {
        self.with_sealer(sealed, |key| key.unseal(place, sealed, read))
    }

    /// Seals credentials with the current key.
    pub fn seal_credentials(
        &self,
        integration: &str,
        id: &str,
        credentials: &Credentials,
    ) -> Result<Vec<u8>, Error> {
        self.with_current(|key| key.seal_credentials(integration, id, credentials))
    }

    /// Opens credentials with the key that sealed them.
    pub fn unseal_credentials(
        &self,
        integration: &str,
        id: &str,
        sealed: &[u8],
    ) -> Result<Credentials, seal::Error> {
        self.with_sealer(sealed, |key| key.unseal_credentials(integration, id, sealed))
    }

    fn with_current<T>(
        &self,
        work: impl FnOnce(&Key) -> Result<T, seal::Error>,
    ) -> Result<T, Error> {
        let state = self.lock();
        Ok(work(state.key(state.current).ok_or(Error::OtherKey)?)?)
    }

    /// A key that took over since this process began is looked for in the source.
    fn with_sealer<T>(
        &self,
        sealed: &[u8],
        work: impl FnOnce(&Key) -> Result<T, seal::Error>,
    ) -> Result<T, seal::Error> {
        let by = seal::key_id(sealed).ok_or(seal::Error::Damaged)?;
        let mut state = self.lock();
        if state.key(by).is_none()
            && let Some(origin) = &self.origin
            && let Ok(keys) = key::find(origin)
        {
            state.keys = keys;
        }
        work(state.key(by).ok_or(seal::Error::OtherKey)?)
    }

    /// Whether a key is there. One that took over since this process began is looked for in the
    /// source, once.
    pub fn has(&self, id: KeyId) -> bool {
        let mut state = self.lock();
        if state.key(id).is_some() || state.lost.contains(&id) {
            return state.key(id).is_some();
        }
        if let Some(origin) = &self.origin
            && let Ok(keys) = key::find(origin)
        {
            state.keys = keys;
        }
        let found = state.key(id).is_some();
        if !found && state.lost.len() < MOST_LOST {
            state.lost.push(id);
        }
        found
    }

    /// For what callers get to hold, such as page tokens.
    pub fn token_key(&self) -> [u8; 32] {
        let state = self.lock();
        state.key(state.current).map(Key::token_key).unwrap_or_default()
    }

    /// Seals from here on with the key that made this proof.
    pub fn follow(&self, proof: &[u8]) -> Result<(), Error> {
        let wanted = seal::key_id(proof).unwrap_or_default();
        let mut state = self.lock();
        if state.current == wanted {
            return Ok(());
        }
        if state.key(wanted).is_none()
            && let Some(origin) = &self.origin
        {
            state.keys = key::find(origin)?;
        }
        let key = state.key(wanted).filter(|key| key.proves(proof)).ok_or(Error::OtherKey)?;
        state.current = key.id();
        Ok(())
    }

    /// The key that seals.
    pub fn current(&self) -> KeyId {
        self.lock().current
    }

    /// All keys, in the order of their source.
    pub fn keys(&self) -> Vec<KeyId> {
        self.lock().keys.iter().map(Key::id).collect()
    }

    /// The proof of a key.
    pub fn proof(&self, id: KeyId) -> Result<Vec<u8>, Error> {
        Ok(self.lock().key(id).ok_or(Error::OtherKey)?.proof()?)
    }

    /// The file that holds the keys, if it is ours to write.
    pub fn file(&self) -> Option<PathBuf> {
        self.origin.as_ref().and_then(key::own_file)
    }

    /// Reads the source again; the first key's id.
    pub fn reload(&self) -> Result<KeyId, Error> {
        let mut state = self.lock();
        if let Some(origin) = &self.origin {
            state.keys = key::find(origin)?;
        }
        state.lost.clear();
        Ok(state.keys.first().map(Key::id).unwrap_or_default())
    }

    /// Puts a new key in front of those of the file, if there is one.
    pub fn put_new(&self) -> Result<(), Error> {
        self.file().map_or(Ok(()), |path| key::put_new(&path))
    }

    /// Removes from the file the keys that neither seal nor are in `used`; how many.
    pub fn forget(&self, used: &[KeyId]) -> Result<u64, Error> {
        let Some(path) = self.file() else { return Ok(0) };
        let current = self.current();
        let removed = key::keep(&path, |key| key.id() == current || used.contains(&key.id()))?;
        self.reload()?;
        Ok(removed as u64)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
