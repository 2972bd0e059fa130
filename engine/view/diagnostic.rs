//! Problems of files, and what a check of them came to.

use serde::{Serialize, Serializer};

use crate::diagnostic::{self, Diagnostics, Place, Severity};

/// One problem. What is not known is `null`; lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic<'a> {
    /// `file.unknown-key` …; `docs/errors.md` has an entry for each.
    pub code: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// Lower-case start, no full stop.
    pub message: &'a str,
    /// Relative to the project, or `built-in:…`.
    pub file: Option<&'a str>,
    /// Where it begins.
    pub line: Option<usize>,
    /// In characters.
    pub column: Option<usize>,
    /// Where it ends.
    pub end_line: Option<usize>,
    /// The column after its last character.
    pub end_column: Option<usize>,
    /// What the author can do.
    pub hint: Option<&'a str>,
}

impl<'a> From<&'a diagnostic::Diagnostic> for Diagnostic<'a> {
    fn from(found: &'a diagnostic::Diagnostic) -> Self {
        let diagnostic::Diagnostic { code, severity, message, place, hint } = found;
        let (start, end) = (place.as_ref().map(Place::start), place.as_ref().map(Place::end));
        Self {
            code,
            severity: severity.name(),
            message,
            file: place.as_ref().map(|place| place.file.name.as_str()),
            line: start.map(|at| at.line),
            column: start.map(|at| at.column),
            end_line: end.map(|at| at.line),
            end_column: end.map(|at| at.column),
            hint: hint.as_deref(),
        }
    }
}

/// Problems, as a list.
#[derive(Debug, Clone)]
pub struct Problems(pub Diagnostics);

impl Serialize for Problems {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.list().iter().map(Diagnostic::from))
    }
}

/// What a check of files found.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// How many errors.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// How many entries of `integrations.yaml` were read.
    pub integrations: usize,
    /// How many blueprints.
    pub blueprints: usize,
    /// How many actions.
    pub actions: usize,
    /// The first 200 problems, sorted by file and place.
    pub diagnostics: Problems,
    /// How many more there are.
    pub not_shown: usize,
}

impl Check {
    /// Whether the files can be used.
    pub fn is_sound(&self) -> bool {
        self.errors == 0
    }
}

impl From<crate::catalog::Checked> for Check {
    fn from(checked: crate::catalog::Checked) -> Self {
        let crate::catalog::Checked { mut diagnostics, blueprints, actions, integrations } =
            checked;
        diagnostics.sort();
        Self {
            errors: diagnostics.count(Severity::Error),
            warnings: diagnostics.count(Severity::Warning),
            integrations,
            blueprints,
            actions,
            not_shown: diagnostics.more(),
            diagnostics: Problems(diagnostics),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::diagnostic::SourceFile;

    #[test]
    fn programs_get_positions() {
        let file = Arc::new(SourceFile { name: "a.yaml".into(), text: "a: 1\nbodi: 1\n".into() });
        let mut all = Diagnostics::default();
        all.error("file.unknown-key", "unknown key `bodi`").at(&Place { file, span: 5..9 });
        let checked = crate::catalog::Checked { diagnostics: all, ..Default::default() };
        assert_eq!(
            serde_json::to_value(Check::from(checked)).unwrap(),
            json!({
                "errors": 1, "warnings": 0, "integrations": 0, "blueprints": 0, "actions": 0,
                "diagnostics": [{
                    "code": "file.unknown-key", "severity": "error",
                    "message": "unknown key `bodi`", "file": "a.yaml", "line": 2, "column": 1,
                    "end_line": 2, "end_column": 5, "hint": null,
                }],
                "not_shown": 0,
            })
        );
    }
}
