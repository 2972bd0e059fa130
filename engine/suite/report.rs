//! What the tests of files came to.

/// All of them.
#[derive(Debug, Default)]
pub struct TestReport {
    /// By file.
    pub files: Vec<FileReport>,
}

/// The tests of one file.
#[derive(Debug)]
pub struct FileReport {
    /// As people see it.
    pub file: String,
    /// In order.
    pub cases: Vec<CaseReport>,
}

/// One test.
#[derive(Debug)]
pub struct CaseReport {
    /// What it shows.
    pub name: String,
    /// 1-based line in its file.
    pub line: usize,
    /// What went wrong; empty if it passed.
    pub problems: Vec<String>,
    /// Expected against found, line by line.
    pub diff: Option<String>,
}
