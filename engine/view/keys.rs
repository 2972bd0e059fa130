//! The keys that seal the store.

use std::path::PathBuf;

use serde::Serialize;

use crate::store::{KeyState, Rotation};

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// 16 hexadecimal digits; derived from the key, says nothing about it.
    pub key: String,
    /// Whether new values are sealed with it.
    pub current: bool,
    /// How many values it has sealed.
    pub values: u64,
    /// Whether its source still has it.
    pub present: bool,
}

/// All keys, and what was done with them. Serialises as the list of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Keys {
    /// In the order of their source.
    pub keys: Vec<Key>,
    /// Values that were sealed again.
    #[serde(skip)]
    pub resealed: u64,
    /// Keys that were removed from their file.
    #[serde(skip)]
    pub removed: u64,
    /// Whether a new key was made.
    #[serde(skip)]
    pub made: bool,
    /// The file that holds the keys, if it is one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl Keys {
    /// Whether there are keys that nothing is sealed with any more.
    pub fn can_forget(&self) -> bool {
        self.keys.iter().any(|key| key.present && !key.current && key.values == 0)
    }
}

impl From<Rotation> for Keys {
    fn from(rotation: Rotation) -> Self {
        let Rotation { keys, resealed, removed, made, file } = rotation;
        let key =
            |KeyState { id, current, values, present }| Key { key: id, current, values, present };
        Self { keys: keys.into_iter().map(key).collect(), resealed, removed, made, file }
    }
}
