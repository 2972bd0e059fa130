//! Changing the key that seals, while others work.

use std::path::PathBuf;

use crate::{
    store::{error::Error, handle::Store, ports::sealing::ResealCursor},
    value::hex,
};

/// The keys of a store, and what happened to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// In the order of their source.
    pub keys: Vec<KeyState>,
    /// Values that were sealed again.
    pub resealed: u64,
    /// Keys that were removed from their file.
    pub removed: u64,
    /// Whether a new key was made.
    pub made: bool,
    /// The file that holds the keys, if it is one.
    pub file: Option<PathBuf>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// 16 hexadecimal digits; derived from the key, says nothing about it.
    pub id: String,
    /// Whether new values are sealed with it.
    pub current: bool,
    /// Values that it has sealed.
    pub values: u64,
    /// Whether its source still has it.
    pub present: bool,
}

/// Takes a new key into use and seals everything with it again. Goes on where an earlier call was
/// interrupted.
pub async fn rotate(store: &Store) -> Result<Rotation, Error> {
    let ring = &store.ring;
    ring.follow(&store.sealing.proof().await?)?;
    let mut resealed = 0;
    if ring.reload()? == ring.current() && ring.file().is_some() {
        // An interrupted rotation goes on: its key is the first one already.
        resealed = reseal(store).await?;
    }
    let made = store.sealing.advance(resealed == 0).await?;
    ring.follow(&store.sealing.proof().await?)?;
    resealed += reseal(store).await?;
    Ok(Rotation { resealed, made, ..state(store).await? })
}

/// Seals everything that opens with the current key; how many values.
async fn reseal(store: &Store) -> Result<u64, Error> {
    let (mut values, mut next) = (0, Some(ResealCursor::default()));
    while let Some(after) = next {
        let page = store.sealing.reseal(after).await?;
        values += page.values;
        next = page.next;
    }
    Ok(values)
}

/// Removes keys that nothing is sealed with any more.
pub async fn forget(store: &Store) -> Result<Rotation, Error> {
    store.ring.follow(&store.sealing.proof().await?)?;
    store.ring.reload()?;
    let removed = store.sealing.forget().await?;
    Ok(Rotation { removed, ..state(store).await? })
}

/// Which keys there are, and what each has sealed.
pub async fn state(store: &Store) -> Result<Rotation, Error> {
    let ring = &store.ring;
    let mut used = store.sealing.uses().await?;
    let mut keys = Vec::new();
    for id in ring.keys() {
        let place = used.iter().position(|one| one.key == id);
        let values = place.map_or(0, |place| used.swap_remove(place).values);
        keys.push(KeyState {
            id: hex::encode(&id),
            current: id == ring.current(),
            values,
            present: true,
        });
    }
    used.sort_unstable_by_key(|one| one.key);
    keys.extend(used.into_iter().map(|one| KeyState {
        id: hex::encode(&one.key),
        current: false,
        values: one.values,
        present: false,
    }));
    Ok(Rotation { keys, file: ring.file(), ..Rotation::default() })
}
