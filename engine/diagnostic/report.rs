//! What is wrong with the files: one problem, and all of them.

use std::collections::HashSet;

use crate::diagnostic::place::Place;

/// So many problems of each severity are kept, and so many in all are shown; the others are
/// counted.
pub const MOST: usize = 200;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, but its author should look at it.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable: `file.unknown-key`, `template.unknown-name` … ; `docs/errors.md` has an entry each.
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

/// All problems of a reading; collects, never stops at the first. A file of nothing but faults
/// costs no more than a sound one: beyond [`MOST`] they are only counted.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    /// In the order of discovery.
    list: Vec<Diagnostic>,
    /// How many more there are, by severity.
    counted: [usize; 3],
    /// The last one of those, for its finder to write to.
    last: Option<Box<Diagnostic>>,
}

impl Diagnostic {
    /// Says where.
    pub fn at(&mut self, place: &Place) -> &mut Self {
        self.place = Some(place.clone());
        self
    }

    /// Says where, if that is known.
    pub fn maybe_at(&mut self, place: Option<&Place>) -> &mut Self {
        self.place = place.cloned();
        self
    }

    /// Says what to do about it.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.maybe_hint(Some(hint.into()))
    }

    /// Says what to do about it, if that is known.
    pub fn maybe_hint(&mut self, hint: Option<String>) -> &mut Self {
        self.hint = hint;
        self
    }
}

impl Diagnostics {
    /// Adds an error, which can get a place and a hint: `found.error(code, message).at(&place).hint("…")`.
    pub fn error(&mut self, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, code, message)
    }

    /// Adds a warning.
    pub fn warning(&mut self, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, code, message)
    }

    /// Adds a note.
    pub fn note(&mut self, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Note, code, message)
    }

    /// Adds a problem whose severity depends.
    pub fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let message = message.into();
        self.push(Diagnostic { code, severity, message, place: None, hint: None })
    }

    /// Adds a problem.
    pub fn push(&mut self, problem: Diagnostic) -> &mut Diagnostic {
        if self.is_full(problem.severity) {
            self.count_one(problem.severity);
            return self.last.insert(Box::new(problem));
        }
        self.list.push_mut(problem)
    }

    /// Whether further problems of this severity are only counted, so that it is not worth looking
    /// for their place or a hint.
    pub fn is_full(&self, severity: Severity) -> bool {
        self.list.len() >= MOST && self.kept(severity) >= MOST
    }

    /// Adds the problems of another reading that are not known yet.
    pub fn extend(&mut self, other: Self) {
        if other.list.is_empty() {
            return;
        }
        let known: HashSet<Order<'_>> = self.list.iter().map(order).collect();
        let new: Vec<bool> = other.list.iter().map(|one| !known.contains(&order(one))).collect();
        if !new.contains(&true) {
            // The same reading a second time: what it counted is known, too.
            return;
        }
        for (problem, new) in other.list.into_iter().zip(new) {
            if new {
                self.push(problem);
            }
        }
        for (here, more) in self.counted.iter_mut().zip(other.counted) {
            *here += more;
        }
    }

    /// Those that are kept, in the order of discovery or, after [`Self::sort`], of reading.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// Takes away those kept ones that `keep` refuses.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.list.retain(keep);
    }

    /// How many there are that are not kept.
    pub fn more(&self) -> usize {
        self.counted.iter().sum()
    }

    /// Whether nothing was found, not even something good to know.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether anything in it is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// How many there are of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.kept(severity) + self.counted.get(severity as usize).copied().unwrap_or_default()
    }

    fn kept(&self, severity: Severity) -> usize {
        self.list.iter().filter(|d| d.severity == severity).count()
    }

    fn count_one(&mut self, severity: Severity) {
        if let Some(count) = self.counted.get_mut(severity as usize) {
            *count += 1;
        }
    }

    /// Puts them into the order of reading, by file and position, each only once. Those without a
    /// place come first. Of more than [`MOST`], the worst are kept.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| order(a).cmp(&order(b)));
        self.list.dedup_by(|a, b| order(a) == order(b));
        if self.list.len() > MOST {
            self.list.sort_by_key(|problem| problem.severity);
            for problem in self.list.split_off(MOST) {
                self.count_one(problem.severity);
            }
            self.list.sort_by(|a, b| order(a).cmp(&order(b)));
        }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { list: vec![diagnostic], ..Self::default() }
    }
}

/// File, position, badness, code, sentence: the order of two problems, and whether they are the same.
type Order<'a> = (Option<(&'a str, usize, usize)>, Severity, &'static str, &'a str);

fn order(diagnostic: &Diagnostic) -> Order<'_> {
    let Diagnostic { code, severity, message, place, hint: _ } = diagnostic;
    let place = place.as_ref().map(|p| (p.file.name.as_str(), p.span.start, p.span.end));
    (place, *severity, code, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::place::SourceFile;

    #[test]
    fn sorted_by_file_and_position_and_each_once() {
        let [a, b] = ["a.yaml", "b.yaml"]
            .map(|name| Arc::new(SourceFile { name: name.into(), text: "x: 1\ny: 2\n".into() }));
        let at = |file: &Arc<SourceFile>, start| Place {
            file: Arc::clone(file),
            span: start..start + 1,
        };
        let mut all = Diagnostics::default();
        all.error("file.z", "later").at(&at(&b, 0));
        all.error("file.z", "second").at(&at(&a, 5));
        all.error("file.z", "first").at(&at(&a, 0));
        all.error("file.z", "second").at(&at(&a, 5));
        all.warning("file.z", "nowhere");
        all.sort();
        let messages: Vec<&str> = all.list().iter().map(|d| d.message.as_str()).collect();
        assert_eq!(messages, ["nowhere", "first", "second", "later"]);
        assert_eq!(all.count(Severity::Error), 3);
        assert_eq!(all.count(Severity::Warning), 1);
        assert!(all.has_errors());
    }

    #[test]
    fn beyond_the_bound_they_are_counted_and_an_error_is_never_hidden_by_warnings() {
        let file = Arc::new(SourceFile { name: "a.yaml".into(), text: "x\n".repeat(9999) });
        let mut all = Diagnostics::default();
        for at in 0..1000 {
            all.warning("file.z", "w").at(&Place { file: Arc::clone(&file), span: at..at + 1 });
        }
        let place = Place { file: Arc::clone(&file), span: 5000..5001 };
        all.error("file.z", "e").at(&place).hint("written to the one that was just added");
        assert_eq!((all.list().len(), all.more()), (MOST + 1, 1000 - MOST));
        let twice = all.clone();
        all.extend(twice);
        all.sort();
        assert_eq!((all.list().len(), all.more()), (MOST, 1001 - MOST));
        assert_eq!((all.count(Severity::Error), all.count(Severity::Warning)), (1, 1000));
        let last = all.list().last().unwrap();
        assert_eq!((last.message.as_str(), last.place.as_ref()), ("e", Some(&place)));
        assert!(last.hint.is_some());
    }
}
