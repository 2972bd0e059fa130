//! `engine connect` while it waits: what it prints is read as it comes.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Stdio},
};

use crate::support::project::{Printed, Project};

/// A sign-in under way.
pub struct SigningIn {
    child: Child,
    lines: BufReader<ChildStderr>,
    said: String,
}

impl SigningIn {
    /// Begins.
    pub fn begin(project: &Project, args: &[&str]) -> Self {
        let mut child = project.command(args).stdin(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines, said: String::new() }
    }

    /// Reads lines until one has this text; the line.
    pub fn line(&mut self, with: &str) -> String {
        self.line_of(&[with])
    }

    /// Reads lines until one has any of these texts; the line.
    pub fn line_of(&mut self, with: &[&str]) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "none of {with:?} was ever said:\n{}", self.said);
            self.said.push_str(&line);
            if with.iter().any(|with| line.contains(with)) {
                return line.trim().to_owned();
            }
        }
    }

    /// Waits for its end.
    pub fn end(mut self) -> Printed {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.lines.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap();
        Printed { stdout, stderr: self.said, code: status.code().unwrap_or(-1) }
    }
}
