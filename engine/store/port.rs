//! What the engine asks of its memory. All calls are synchronous and short.

use std::time::Duration;

use crate::{
    diagnostic::Explain,
    model::{
        connection::Connection,
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
};

/// The engine's memory.
pub trait Store: Send + Sync {
    /// One connection, credentials unsealed.
    fn connection(&self, integration: &str, id: &str) -> Result<Option<Connection>, Error>;
    /// All connections, of one integration or of all, ordered by integration and id. Rows that
    /// cannot be unsealed are an error that names the row.
    fn connections(&self, integration: Option<&str>) -> Result<Vec<Connection>, Error>;
    /// Adds one; [`Error::Exists`] if the id is taken. Durable when it returns.
    fn insert(&self, connection: &Connection) -> Result<(), Error>;
    /// Replaces one whose stored version is still `connection.version`, raising it by one; returns
    /// the new version. [`Error::Changed`] if it changed or is gone. Durable when it returns.
    fn update(&self, connection: &Connection) -> Result<i64, Error>;
    /// Removes one; whether there was one.
    fn delete(&self, integration: &str, id: &str) -> Result<bool, Error>;
    /// Removes a connection and remembers its tokens until the vendor has taken them back, in one
    /// go; whether there was one.
    fn retire(&self, connection: &Connection, now: Timestamp) -> Result<bool, Error>;
    /// Tokens that the vendor has not taken back yet, oldest first.
    fn revocations(&self) -> Result<Vec<Revocation>, Error>;
    /// Forgets one, or notes why it failed again.
    fn settle(&self, revocation: &Revocation, reason: Option<&str>) -> Result<(), Error>;

    /// Takes a new key into use and seals everything with it again. Goes on where an earlier call
    /// was interrupted.
    fn rotate(&self) -> Result<Rotation, Error>;
    /// Removes keys that nothing is sealed with any more.
    fn forget_keys(&self) -> Result<Rotation, Error>;
    /// Which keys there are, and what each has sealed.
    fn keys(&self) -> Result<Rotation, Error>;

    /// Notes that a connection was used. Not durable, no version change.
    fn touch(&self, integration: &str, id: &str, now: Timestamp) -> Result<(), Error>;

    /// The key that signs what callers get to hold, such as page tokens: derived from the store's,
    /// and good for nothing else.
    fn token_key(&self) -> Result<[u8; 32], Error>;

    /// Takes a lease if it is free, expired or already `owner`'s; returns its fencing number,
    /// which grows with every new holder. `None`: somebody else has it.
    fn lease(
        &self,
        key: &str,
        owner: &str,
        now: Timestamp,
        term: Duration,
    ) -> Result<Option<i64>, Error>;
    /// Gives it back; nothing happens if it is not `owner`'s any more.
    fn release(&self, key: &str, owner: &str) -> Result<(), Error>;

    /// Records that a run began.
    fn begin(&self, run: &RunRecord) -> Result<(), Error>;
    /// Adds attempts to a run, in order.
    fn attempts(&self, run: &str, attempts: &[AttemptRecord]) -> Result<(), Error>;
    /// Records attempts and the end of a run, in one go.
    fn finish(&self, run: &RunRecord, attempts: &[AttemptRecord]) -> Result<(), Error>;
    /// One run; an unambiguous beginning of the id will do.
    fn run(&self, id: &str) -> Result<Option<RunRecord>, Error>;
    /// The attempts of a run, in order.
    fn attempts_of(&self, run: &str) -> Result<Vec<AttemptRecord>, Error>;
    /// Newest first.
    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Error>;
    /// Removes finished runs that began before, at most `limit`; how many.
    fn prune(&self, before: Timestamp, limit: u32) -> Result<u64, Error>;
}

/// Tokens of a deleted connection that the vendor has not taken back yet.
#[derive(Debug, Clone)]
pub struct Revocation {
    /// As it was; only names, values and credentials count.
    pub connection: Connection,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed the last time; empty before the first.
    pub reason: String,
}

/// The keys of a store, and what happened to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// In the order of their source.
    pub keys: Vec<KeyUse>,
    /// Values that were sealed again.
    pub resealed: u64,
    /// Keys that were removed from their file.
    pub removed: u64,
    /// Whether a new key was made.
    pub made: bool,
    /// The file that holds the keys, if it is one.
    pub file: Option<std::path::PathBuf>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// 16 hexadecimal digits; derived from the key, says nothing about it.
    pub id: String,
    /// Whether new values are sealed with it.
    pub current: bool,
    /// Values that it has sealed.
    pub values: u64,
    /// Whether its source still has it.
    pub present: bool,
}

/// Which runs.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this integration.
    pub integration: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// Of this connection.
    pub connection: Option<String>,
    /// In this state.
    pub status: Option<RunStatus>,
    /// At most so many.
    pub limit: u32,
}

/// Why the memory failed.
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
    /// The key itself cannot be used.
    #[error("the store's key cannot be used: {reason}")]
    Key {
        /// In our words; never the key.
        reason: String,
    },
    /// A row does not open under the key: moved or tampered with.
    #[error(
        "the credentials of connection `{id}` of `{integration}` do not open: the row was moved or changed"
    )]
    Tampered {
        /// The integration.
        integration: String,
        /// The connection.
        id: String,
    },
    /// The id is taken.
    #[error("connection `{id}` of `{integration}` exists already")]
    Exists {
        /// The integration.
        integration: String,
        /// The connection.
        id: String,
    },
    /// Somebody else changed or removed it meanwhile.
    #[error("connection `{id}` of `{integration}` was changed or removed meanwhile")]
    Changed {
        /// The integration.
        integration: String,
        /// The connection.
        id: String,
    },
}

impl Explain for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "store.unusable",
            Self::Corrupt { .. } => "store.corrupt",
            Self::Newer { .. } => "store.newer",
            Self::WrongKey { .. } => "store.wrong-key",
            Self::Key { .. } => "store.key",
            Self::Tampered { .. } => "store.tampered",
            Self::Exists { .. } => "store.exists",
            Self::Changed { .. } => "store.changed",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unusable { hint, .. } => hint.clone(),
            Self::Corrupt { .. } => "restore it from a backup, or name another with `--store`".to_owned(),
            Self::Newer { .. } => "use the engine that made it, or a newer one".to_owned(),
            Self::WrongKey { .. } => {
                "give the key it was made with: ENGINE_KEY, ENGINE_KEY_FILE, or the `key` file beside the store".to_owned()
            }
            Self::Key { .. } => "a key is 32 bytes in base64 (44 characters); make one with `openssl rand -base64 32`".to_owned(),
            Self::Tampered { .. } => "delete the connection and connect again".to_owned(),
            Self::Exists { .. } => "choose another id, or give `--replace`".to_owned(),
            Self::Changed { .. } => "look at it again with `engine connections show`".to_owned(),
        })
    }
}
