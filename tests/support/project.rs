//! A project folder of its own, and the real binary in it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// A folder with files; removed when it is dropped.
pub struct Project {
    folder: TempDir,
}

/// What the binary printed, and how it ended.
#[derive(Debug)]
pub struct Printed {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; -1 after a signal.
    pub code: i32,
}

impl Printed {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless the exit code is this.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Project {
    /// A folder with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    /// A folder with all files of another one.
    pub fn copy(template: &Path) -> Self {
        let project = Self::new(&[]);
        for path in files_below(template) {
            let name = path.strip_prefix(template).unwrap().to_string_lossy().into_owned();
            project.write(&name, &std::fs::read_to_string(&path).unwrap());
        }
        project
    }

    /// The vendor Acme at this URL: the files of `scenarios/project/`, with the integrations `acme`
    /// (a key) and `acme-oauth` (tokens that end).
    pub fn acme(vendor: &str) -> Self {
        let project = Self::new(&[]);
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/project");
        for path in files_below(&template) {
            let name = path.strip_prefix(&template).unwrap().to_string_lossy().into_owned();
            project.write(&name, &placed(&std::fs::read_to_string(&path).unwrap(), vendor));
        }
        project
    }

    /// Stores a connection `default` with these credentials.
    pub fn add(&self, integration: &str, credentials: &serde_json::Value) {
        let args = ["connections", "add", integration, "--credentials-stdin"];
        self.engine_with(&args, &credentials.to_string()).ends(0);
    }

    /// Writes one more file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A path within.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with arguments, in this folder, with an empty environment but for its home.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
        command.args(args).current_dir(self.root()).env_clear().env("HOME", self.root());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to the end.
    pub fn engine(&self, args: &[&str]) -> Printed {
        printed(self.command(args).spawn().unwrap())
    }

    /// The same with text on standard input.
    pub fn engine_with(&self, args: &[&str], input: &str) -> Printed {
        finish(self.command(args), input)
    }
}

/// Runs a command to its end with text on standard input.
pub fn finish(mut command: Command, input: &str) -> Printed {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // One that does not read it may have ended already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    printed(child)
}

/// The text with the vendor's URL for `VENDOR`, and for `ELSEWHERE` another origin that leads there.
pub fn placed(text: &str, vendor: &str) -> String {
    text.replace("VENDOR", vendor).replace("ELSEWHERE", &vendor.replace("127.0.0.1", "localhost"))
}

/// All files of a folder and of those in it.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Waits for a child and collects what it printed.
pub fn printed(child: Child) -> Printed {
    let output = child.wait_with_output().unwrap();
    Printed {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap_or(-1),
    }
}
