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
    /// Held while the source is read, which may take a command's time; the keys that are there
    /// serve meanwhile.
    reading: Mutex<()>,
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
        let state = Mutex::new(State { keys, current, lost: Vec::new() });
        Self { origin, state, reading: Mutex::default() }
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

    /// A key that took over since this process began is looked for in the source; where that is a
    /// file, as often as it is wanted: it is read quickly, and may have been put back.
    fn with_sealer<T>(
        &self,
        sealed: &[u8],
        work: impl FnOnce(&Key) -> Result<T, seal::Error>,
    ) -> Result<T, seal::Error> {
        let by = seal::key_id(sealed).ok_or(seal::Error::Damaged)?;
        if !self.has(by) && self.file().is_some() {
            // What cannot be read now leaves the keys that are there.
            drop(self.read_source(&self.alone()));
        }
        work(self.lock().key(by).ok_or(seal::Error::OtherKey)?)
    }

    /// Whether a key is there. One that took over since this process began is looked for in the
    /// source, once.
    pub fn has(&self, id: KeyId) -> bool {
        if let Some(known) = self.known(id) {
            return known;
        }
        let alone = self.alone();
        // Another thread may have looked meanwhile.
        if let Some(known) = self.known(id) {
            return known;
        }
        // A file that cannot be read now may be read the next time; a command is not run for each
        // row.
        let read = self.read_source(&alone).is_ok() || self.file().is_none();
        let mut state = self.lock();
        let found = state.key(id).is_some();
        if !found && read && state.lost.len() < MOST_LOST {
            state.lost.push(id);
        }
        found
    }

    /// Whether a key is there; `None` if it has not been looked for.
    fn known(&self, id: KeyId) -> Option<bool> {
        let state = self.lock();
        let found = state.key(id).is_some();
        (found || state.lost.contains(&id)).then_some(found)
    }

    /// Takes the keys that the source has now, before those that are held already: what a key has
    /// sealed opens as long as anybody has it.
    fn read_source(&self, _alone: &MutexGuard<'_, ()>) -> Result<(), Error> {
        let Some(origin) = &self.origin else { return Ok(()) };
        let keys = key::find(origin)?;
        let mut state = self.lock();
        let held = std::mem::replace(&mut state.keys, keys);
        for key in held {
            if state.key(key.id()).is_none() {
                state.keys.push(key);
            }
        }
        Ok(())
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For what callers get to hold, such as page tokens.
    pub fn token_key(&self) -> Result<[u8; 32], Error> {
        let state = self.lock();
        Ok(state.key(state.current).ok_or(Error::OtherKey)?.token_key())
    }

    /// Seals from here on with the key that made this proof.
    pub fn follow(&self, proof: &[u8]) -> Result<(), Error> {
        let wanted = seal::key_id(proof).unwrap_or_default();
        if self.current() == wanted {
            return Ok(());
        }
        if self.lock().key(wanted).is_none() {
            self.read_source(&self.alone())?;
        }
        let mut state = self.lock();
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

    /// Reads the source again, and keeps no key that it has not; the first key's id.
    pub fn reload(&self) -> Result<KeyId, Error> {
        let _alone = self.alone();
        let Some(origin) = &self.origin else { return Ok(self.current()) };
        let keys = key::find(origin)?;
        let mut state = self.lock();
        state.keys = keys;
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::vault::key::KeySource;

    #[test]
    fn a_key_command_is_asked_once_for_a_lost_key_however_many_rows_want_it() {
        let folder = tempfile::tempdir().unwrap();
        let (calls, text) = (folder.path().join("calls"), Key::generate().unwrap());
        let command = format!("echo x >> '{}'; echo '{}'", calls.display(), text.expose());
        let beside = folder.path().join("key");
        let origin = KeyFile { source: KeySource::Command(command), beside };
        let lost = key::fleeting().unwrap();
        let place = Place { integration: "i", id: "c", field: "f" };
        let sealed = lost.seal(place, 0, |_| Ok(())).unwrap();
        let ring = Ring::new(key::find(&origin).unwrap(), Some(origin));
        let ask = || {
            let opened = ring.open(place, &sealed, |_| Ok(()));
            assert_eq!(opened, Err(seal::Error::OtherKey));
            assert!(!ring.has(lost.id()));
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5).for_each(|_| ask()));
            }
        });
        let calls = fs::read_to_string(&calls).unwrap();
        assert_eq!(calls.lines().count(), 2, "at first, and once");
    }

    #[test]
    fn a_key_that_leaves_its_source_opens_until_the_keys_are_loaded_anew() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join("key");
        let origin = KeyFile { source: KeySource::Beside, beside: beside.clone() };
        let ring = Ring::new(key::find_or_make(&origin).unwrap(), Some(origin));
        let place = Place { integration: "i", id: "c", field: "f" };
        let sealed = ring.seal(place, b"x").unwrap();
        let open = || ring.open(place, &sealed, |plain| Ok(plain.to_vec()));
        let lost = key::fleeting().unwrap();
        fs::write(&beside, "broken").unwrap();
        assert!(!ring.has(lost.id()));
        let other = Key::generate().unwrap();
        fs::write(&beside, other.expose()).unwrap();
        assert!(ring.has(Key::parse(&other).unwrap().id()), "the source is read again");
        assert_eq!(open().unwrap(), b"x");
        assert!(ring.token_key().is_ok());
        ring.reload().unwrap();
        assert_eq!(open(), Err(seal::Error::OtherKey));
        assert_eq!(ring.token_key(), Err(Error::OtherKey), "never a key that everybody knows");
    }

    #[test]
    fn keys_that_are_there_serve_while_a_key_command_takes_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, go) = (folder.path().join("begun"), folder.path().join("go"));
        for pipe in [&begun, &go] {
            assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let (old, new) = (Key::generate().unwrap(), Key::generate().unwrap());
        let (old_key, new_key) = (Key::parse(&old).unwrap(), Key::parse(&new).unwrap());
        let (begun_at, go_at) = (begun.display(), go.display());
        let command = format!("echo x > '{begun_at}'; read x < '{go_at}'; echo '{}'", new.expose());
        let beside = folder.path().join("key");
        let origin = KeyFile { source: KeySource::Command(command), beside };
        let id = old_key.id();
        let ring = Ring::new(vec![old_key], Some(origin));
        let proof = new_key.proof().unwrap();
        std::thread::scope(|scope| {
            let following = scope.spawn(|| ring.follow(&proof));
            // Opens once the command runs.
            assert_eq!(fs::read_to_string(&begun).unwrap(), "x\n");
            assert!(ring.has(id) && ring.current() == id);
            fs::write(&go, "x\n").unwrap();
            assert_eq!(following.join().unwrap(), Ok(()));
        });
        assert_eq!(ring.current(), new_key.id());
    }
}
