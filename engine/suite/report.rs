//! What a test came to.

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
