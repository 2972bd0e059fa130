//! What the database reports, in our words.

use std::{io, path::Path};

use rusqlite::ErrorCode;

use crate::{store::error::Error, vault};

/// Why a statement failed, before the file's name is put to it.
#[derive(Debug)]
pub enum Fault {
    /// The database itself.
    Sqlite(rusqlite::Error),
    /// A column holds what we never wrote.
    Column(&'static str),
    /// There is no such run to add to.
    NoRun,
    /// The finished error.
    Plain(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Plain(error)
    }
}

impl From<vault::Error> for Fault {
    fn from(error: vault::Error) -> Self {
        Self::Plain(error.into())
    }
}

impl Fault {
    /// Names the file.
    pub fn at(self, path: &Path) -> Error {
        let corrupt = |reason| Error::Corrupt { path: path.display().to_string(), reason };
        match self {
            Self::Plain(Error::Key(vault::Error::OtherKey)) => {
                Error::WrongKey { path: path.display().to_string() }
            }
            Self::Plain(error) => error,
            Self::Column(name) => corrupt(format!("column `{name}` holds an unknown value")),
            Self::NoRun => {
                unusable(path, "it has no such run".to_owned(), "was the run removed meanwhile?")
            }
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => coded(path, failure),
            Self::Sqlite(
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..),
            ) => corrupt("a column holds a value of the wrong type".to_owned()),
            Self::Sqlite(rusqlite::Error::SqlInputError { .. }) => {
                corrupt("its tables are not those of its version".to_owned())
            }
            Self::Sqlite(error) => {
                unusable(path, error.to_string(), "restore it from a backup if this stays")
            }
        }
    }
}

/// Whether the statement broke a uniqueness rule.
pub fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// The file or a file beside it cannot be used.
pub fn io(path: &Path, error: &io::Error) -> Error {
    let rights = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
    let hint = if rights.contains(&error.kind()) {
        "give yourself the rights to it, or name another with `--store`"
    } else if error.kind() == io::ErrorKind::StorageFull {
        "free some space"
    } else {
        "look at the path, or name another with `--store`"
    };
    unusable(path, error.to_string(), hint)
}

fn coded(path: &Path, failure: rusqlite::ffi::Error) -> Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "an open-ended enum")]
    let (reason, hint) = match failure.code {
        ErrorCode::DatabaseCorrupt => return corrupt(path, "its pages do not fit together"),
        ErrorCode::NotADatabase => return corrupt(path, "it is not a database"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            "another process holds it locked",
            "end the other process, or try again when it is done",
        ),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (
            "it cannot be written",
            "give yourself the rights to it and its folder, or name another with `--store`",
        ),
        ErrorCode::DiskFull => ("the disk is full", "free some space"),
        ErrorCode::CannotOpen => ("it cannot be opened", "look at the path and its rights"),
        ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => (
            "the disk or the file system failed",
            "look whether the disk is full or broken; network file systems cannot hold a store",
        ),
        ErrorCode::OutOfMemory | ErrorCode::TooBig => ("it asks for too much memory", "free some"),
        _ => {
            let reason = format!("the database failed with code {}", failure.extended_code);
            return unusable(path, reason, "restore it from a backup if this stays");
        }
    };
    unusable(path, reason.to_owned(), hint)
}

/// The thread that writes or reads is gone: it could not be started, or the store is closing.
pub fn stopped(path: &Path) -> Error {
    unusable(path, "it is closed, or its threads cannot be started".to_owned(), "try again")
}

/// Something else in the same transaction failed so badly that all of it was undone.
pub fn undone(path: &Path) -> Error {
    unusable(path, "what was written together with it failed".to_owned(), "try again")
}

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt { path: path.display().to_string(), reason: reason.to_owned() }
}

fn unusable(path: &Path, reason: String, hint: &str) -> Error {
    Error::Unusable { path: path.display().to_string(), reason, hint: hint.to_owned() }
}
