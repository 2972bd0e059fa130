//! What the tests in files came to.

use serde::Serialize;

use crate::suite::CaseReport;

/// All tests.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TestReport {
    /// How many passed.
    pub passed: usize,
    /// How many did not.
    pub failed: usize,
    /// By file.
    pub files: Vec<TestFile>,
}

/// The tests of one file.
#[derive(Debug, Clone, Serialize)]
pub struct TestFile {
    /// Relative to the project, or `built-in:…`.
    pub file: String,
    /// In their order.
    pub cases: Vec<TestCase>,
}

/// One test.
#[derive(Debug, Clone, Serialize)]
pub struct TestCase {
    /// Its `name`.
    pub name: String,
    /// Where it stands in its file, from 1.
    pub line: usize,
    /// Whether nothing went wrong.
    pub passed: bool,
    /// What went wrong.
    pub problems: Vec<String>,
    /// Expected (`-`) against found (`+`), line by line.
    pub diff: Option<String>,
}

impl From<CaseReport> for TestCase {
    fn from(report: CaseReport) -> Self {
        let CaseReport { name, line, problems, diff } = report;
        Self { name, line, passed: problems.is_empty(), problems, diff }
    }
}

impl FromIterator<TestFile> for TestReport {
    fn from_iter<T: IntoIterator<Item = TestFile>>(files: T) -> Self {
        let files: Vec<TestFile> = files.into_iter().collect();
        let all = || files.iter().flat_map(|file| &file.cases);
        let passed = all().filter(|case| case.passed).count();
        Self { passed, failed: all().count() - passed, files }
    }
}
