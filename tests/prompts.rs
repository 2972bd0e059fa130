//! Prompts at a real terminal: what is not seen, what takes several lines, and how the terminal is left.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

use crate::support::project::Project;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

const KEY: &str = include_str!("support/rsa.pem");

/// The binary at a terminal of its own.
struct Session {
    master: File,
    slave: File,
    child: Child,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Session {
    fn start(project: &Project, args: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let end = || Stdio::from(OwnedFd::from(slave.try_clone().unwrap()));
        let mut command = project.command(args);
        command.env("NO_COLOR", "1").process_group(0).stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().unwrap();
        let master = File::from(master);
        let mut reader = master.try_clone().unwrap();
        let (send, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master, slave, child, screen, seen: String::new() }
    }

    /// Waits until the screen says this, and whether what is typed now is shown.
    #[track_caller]
    fn wait_for(&mut self, text: &str) -> bool {
        while !self.seen.contains(text) {
            let more = self.screen.recv_timeout(PATIENCE).ok();
            assert!(more.is_some(), "no `{text}` in {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&more.unwrap_or_default()));
        }
        self.echoes()
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end: the exit code, and all that was on the screen.
    fn end(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        assert!(self.echoes(), "the terminal is left as it was: {:?}", self.seen);
        // Whatever was typed and not asked for is gone: the shell reads what comes now.
        self.types("after\n");
        let mut buffer = [0; 64];
        let length = self.slave.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"after\n");
        while let Ok(more) = self.screen.recv_timeout(Duration::from_millis(200)) {
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
        (code, self.seen)
    }
}

/// A vendor that takes a key in PEM, which nothing is asked with.
fn project() -> Project {
    Project::new(&[
        ("integrations.yaml", "integrations: {api: {extends_blueprint: api:v0}}\n"),
        (
            "blueprints/api/v0.yaml",
            "blueprint: api:v0\ntitle: API\nconnection: {type: object, required: [site], properties: {site: {type: string, title: Site}}}\nauth:\n  auth_mode: API_KEY\n  credentials:\n    type: object\n    required: [user, key, code]\n    properties:\n      user: {type: string, title: User, readOnly: false, writeOnly: false}\n      key: {type: string, title: Key}\n      code: {type: string, title: Code, writeOnly: true}\nrequests: {base_url: 'https://api.test', headers: {x-key: '{{credentials.code}}'}}\n",
        ),
    ])
}

#[test]
fn a_credential_is_typed_unseen_and_a_key_may_take_several_lines() {
    let project = project();
    project.write("code", "MARKED-code\n");
    let mut session = Session::start(&project, &["connect", "api"]);
    assert!(session.wait_for("Site: "));
    session.types("north\n");
    assert!(session.wait_for("User: "), "it is no secret by its schema");
    session.types("ann\n");
    assert!(!session.wait_for("Key: "), "every other property of credentials is one");
    session.types(KEY);
    assert!(!session.wait_for("Code: "));
    session.types("@nowhere\n");
    session.wait_for("`nowhere` cannot be read");
    // And what was typed ahead and is not asked for.
    session.types("@code\nrm -rf x\n");
    let (code, seen) = session.end();
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains("MARKED") && !seen.contains("PRIVATE KEY"), "{seen}");
    let line = project.engine(&["connections", "export", "--with-secrets"]).ends(0).json();
    assert_eq!(line["credentials"]["key"].as_str().unwrap().trim(), KEY.trim());
    assert_eq!(line["credentials"]["code"], "MARKED-code");
    assert_eq!(line["credentials"]["user"], "ann");
}

#[test]
fn a_signal_ends_every_prompt_and_leaves_the_terminal_as_it_was() {
    let project = project();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for prompt in ["Site: ", "Key: "] {
            let mut session = Session::start(&project, &["connect", "api"]);
            session.wait_for("Site: ");
            if prompt == "Key: " {
                session.types("north\nann\n");
            }
            session.wait_for(prompt);
            if prompt == "Site: " {
                session.types("half a li");
                // The kernel has it where the engine reads.
                session.wait_for("half a li");
            }
            session.signal(signal);
            let (found, seen) = session.end();
            assert_eq!(found, code, "{prompt} {seen}");
            assert!(seen.contains("nothing was stored"), "{seen}");
        }
        let mut session =
            Session::start(&project, &["connections", "export", "--encrypt", "--to", "out"]);
        assert!(!session.wait_for("Passphrase: "));
        session.types("horse\n");
        session.wait_for("Once more: ");
        session.signal(signal);
        let (found, seen) = session.end();
        assert_eq!(found, code, "{seen}");
        assert!(!project.path("out").exists(), "nothing is left of what was not finished");
    }
}

#[test]
fn the_end_of_input_is_an_answer() {
    let project = project();
    let mut session = Session::start(&project, &["connect", "api"]);
    session.wait_for("Site: ");
    session.types("\u{4}");
    let (code, seen) = session.end();
    assert_eq!(code, 2, "{seen}");
    assert!(seen.contains("`site` was not given"), "{seen}");
}
