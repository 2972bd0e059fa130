//! Why the store failed.

use crate::{
    diagnostic::Explain,
    model::name::{ConnectionId, IntegrationKey},
    vault,
};

/// Why the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such file, no rights, disk full, I/O error, locked for too long.
    #[error("the store `{path}` cannot be used: {reason}")]
    Unusable {
        /// The file.
        path: String,
        /// In our words.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Not a database, or damaged.
    #[error("the store `{path}` is damaged or no store: {reason}")]
    Corrupt {
        /// The file.
        path: String,
        /// In our words.
        reason: String,
    },
    /// Made by a newer engine.
    #[error("the store `{path}` has version {found}; this engine knows {known}")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Sealed with another key.
    #[error("the store `{path}` is sealed with another key")]
    WrongKey {
        /// The file.
        path: String,
    },
    /// The key cannot be had, or is none.
    #[error(transparent)]
    Key(#[from] vault::Error),
    /// A row does not open under the key: moved or tampered with.
    #[error(
        "the credentials of connection `{id}` of `{integration}` do not open: the row was moved or changed"
    )]
    Tampered {
        /// The integration.
        integration: IntegrationKey,
        /// The connection.
        id: ConnectionId,
    },
    /// It holds another environment than the one that is asked for.
    #[error("the store `{path}` holds the environment `{found}`, and `{wanted}` is asked for")]
    OtherEnvironment {
        /// The file.
        path: String,
        /// The one it holds.
        found: String,
        /// The one that is asked for.
        wanted: String,
    },
    /// The id is taken.
    #[error("connection `{id}` of `{integration}` exists already")]
    Exists {
        /// The integration.
        integration: IntegrationKey,
        /// The connection.
        id: ConnectionId,
    },
    /// Somebody else changed or removed it meanwhile.
    #[error("connection `{id}` of `{integration}` was changed or removed meanwhile")]
    Changed {
        /// The integration.
        integration: IntegrationKey,
        /// The connection.
        id: ConnectionId,
    },
}

impl Explain for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "store.unusable",
            Self::Corrupt { .. } => "store.corrupt",
            Self::Newer { .. } => "store.newer",
            Self::WrongKey { .. } => "store.wrong-key",
            Self::Key(error) => error.code(),
            Self::Tampered { .. } => "store.tampered",
            Self::OtherEnvironment { .. } => "store.other-environment",
            Self::Exists { .. } => "store.exists",
            Self::Changed { .. } => "store.changed",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unusable { hint, .. } => hint.clone(),
            Self::Corrupt { .. } => "restore it from a backup, or name another with `--store`".to_owned(),
            Self::Newer { .. } => "use the engine that made it, or a newer one".to_owned(),
            Self::WrongKey { .. } => return vault::Error::OtherKey.hint(),
            Self::Key(error) => return error.hint(),
            Self::Tampered { .. } => "sign in again, give it new credentials with `engine connections add --replace`, or delete it".to_owned(),
            Self::OtherEnvironment { found, .. } => format!(
                "give `--environment {found}` or `ENGINE_ENVIRONMENT`, or name another store with `--store`"
            ),
            Self::Exists { .. } => "choose another id, or give `--replace`".to_owned(),
            Self::Changed { .. } => "look at it again with `engine connections show`".to_owned(),
        })
    }
}
