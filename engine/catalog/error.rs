//! Why the catalog cannot give what was asked for.

use crate::diagnostic::{Diagnostics, Explain, Severity};

/// Why the catalog cannot give what was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("there is no {kind} `{name}`")]
    Unknown {
        /// `integration`, `blueprint`, `action`.
        kind: &'static str,
        /// As asked.
        name: String,
        /// Did you mean.
        hint: Option<String>,
    },
    /// Its files are not sound.
    #[error("{}", summary(.0))]
    Invalid(Diagnostics),
    /// A file cannot be read.
    #[error("`{file}` cannot be read: {reason}")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        reason: String,
    },
}

/// The code of a file that cannot be read.
const UNREADABLE: &str = "file.unreadable";

/// Whether a problem may be gone when the files are read again as they are.
pub fn passes(found: &Diagnostics) -> bool {
    found.list().iter().any(|problem| problem.code == UNREADABLE)
}

impl Error {
    /// Whether it may be gone when the files are read again as they are.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreadable { .. } => true,
            Self::Invalid(found) => passes(found),
            Self::Unknown { .. } => false,
        }
    }

    /// The same as problems of files.
    pub fn into_diagnostics(self) -> Diagnostics {
        let mut found = Diagnostics::default();
        match self {
            Self::Invalid(all) => return all,
            Self::Unknown { .. } => found.error("file.unknown-blueprint", self.to_string()),
            Self::Unreadable { .. } => found.error(UNREADABLE, self.to_string()),
        };
        found
    }
}

fn summary(found: &Diagnostics) -> String {
    let errors = found.count(Severity::Error);
    match found.list().iter().find(|d| d.severity == Severity::Error) {
        Some(first) if errors == 1 => first.message.clone(),
        Some(first) => format!("{} (and {} more errors)", first.message, errors - 1),
        None => "the files are not sound".to_owned(),
    }
}

impl Explain for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { kind: "action", .. } => "call.unknown-action",
            Self::Unknown { kind: "blueprint", .. } => "call.unknown-blueprint",
            Self::Unknown { .. } => "call.unknown-integration",
            Self::Invalid(_) => "file.invalid",
            Self::Unreadable { .. } => UNREADABLE,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { hint: Some(hint), .. } => Some(hint.clone()),
            Self::Unknown { kind: "action", .. } => {
                Some("`engine list actions` shows which there are".to_owned())
            }
            // A blueprint serves as an integration of its name.
            Self::Unknown { .. } => Some("`engine list` shows which there are".to_owned()),
            Self::Invalid(_) => {
                Some("`engine check` shows every problem with its place".to_owned())
            }
            Self::Unreadable { .. } => None,
        }
    }
}
