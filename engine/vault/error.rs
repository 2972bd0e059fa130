//! Why there is no key, or none that fits.

use std::{io, path::Path};

use crate::{diagnostic::Explain, vault::seal};

/// Why a key cannot be had or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The key itself cannot be used.
    #[error("the store's key cannot be used: {reason}")]
    Key {
        /// In our words; never the key.
        reason: String,
    },
    /// The key file cannot be written.
    #[error("the key file `{path}` cannot be used: {reason}")]
    File {
        /// The file.
        path: String,
        /// In the system's words.
        reason: String,
    },
    /// None of the keys is the one that the store names.
    #[error("the store is sealed with another key")]
    OtherKey,
}

impl Error {
    /// A key file that cannot be read or written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::File { path: path.display().to_string(), reason: error.to_string() }
    }
}

impl From<seal::Error> for Error {
    fn from(error: seal::Error) -> Self {
        match error {
            seal::Error::OtherKey => Self::OtherKey,
            seal::Error::Damaged | seal::Error::NoRandom => Self::Key { reason: error.to_string() },
        }
    }
}

impl Explain for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Key { .. } | Self::File { .. } => "store.key",
            Self::OtherKey => "store.wrong-key",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Key { .. } => "a key is 32 bytes in base64 (44 characters); make one with `openssl rand -base64 32`".to_owned(),
            Self::File { .. } => "look at the file, its folder and your rights to them, or name another with `--key-file`".to_owned(),
            Self::OtherKey => {
                "give the key it was made with: ENGINE_KEY, ENGINE_KEY_FILE, or the `key` file beside the store".to_owned()
            }
        })
    }
}
