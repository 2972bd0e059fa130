//! Questions at the terminal. A signal drops them where they are, and the terminal is then as it was
//! before the first one; what was typed ahead and not asked for goes to no shell.

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
    sync::OnceLock,
};

use rustix::{
    io::{Errno, read},
    termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::{
    cli::{input, terminal::Terminal},
    error::Error,
    model::secret::SecretText,
};

/// A line of a terminal is not longer: `N_TTY_BUF_SIZE` of Linux.
const LINE: usize = 4096;
/// More lines are no key.
const MOST_LINES: usize = 1000;

/// How answers to [`Prompt::secret`] may be given.
pub const WAYS: &str =
    "`@FILE` reads a file, `-` takes lines up to Ctrl-D; a key in PEM may be pasted\n";

/// The person at the terminal, for one command.
pub struct Prompt<'a> {
    terminal: &'a Terminal,
    /// As the terminal was before the first question.
    before: OnceLock<Termios>,
}

impl<'a> Prompt<'a> {
    /// Asks on this terminal.
    pub fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, before: OnceLock::new() }
    }

    /// Whether there is somebody to ask.
    pub fn is_possible() -> bool {
        io::stdin().is_terminal()
    }

    /// A line that is seen while it is typed; `None` at the end of input.
    pub async fn line(&self, question: &str) -> Result<Option<Zeroizing<String>>, Error> {
        self.remember().map_err(unreadable)?;
        self.terminal.err(question);
        let mut asked = Asked { terminal: self.terminal, is_answered: false };
        let line = line().await.map_err(unreadable)?;
        asked.is_answered = line.is_some();
        Ok(line)
    }

    /// What nobody sees: a line, a key in PEM, or as [`WAYS`] says; `None` at the end of input.
    pub async fn secret(&self, question: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let Some(first) = self.unseen(question).await? else { return Ok(None) };
        let text = first.trim();
        if text == "-" {
            let _unseen = Unseen::begin(self.remember().map_err(unreadable)?);
            return lines("", |_| false).await.map(Some);
        }
        if text.starts_with("-----BEGIN ") {
            let _unseen = Unseen::begin(self.remember().map_err(unreadable)?);
            return lines(&first, |line| line.trim().starts_with("-----END ")).await.map(Some);
        }
        match text.strip_prefix('@') {
            Some(path) => input::file(path).map(|text| Some(Zeroizing::new(text))),
            None => Ok(Some(first)),
        }
    }

    /// One line that nobody sees; `None` at the end of input.
    pub async fn unseen(&self, question: &str) -> Result<Option<Zeroizing<String>>, Error> {
        let unseen = Unseen::begin(self.remember().map_err(unreadable)?);
        self.terminal.err(question);
        // The line break of the answer was not seen either.
        let _asked = Asked { terminal: self.terminal, is_answered: false };
        let line = line().await.map_err(unreadable);
        drop(unseen);
        line
    }

    fn remember(&self) -> io::Result<&Termios> {
        if self.before.get().is_none() {
            drop(self.before.set(tcgetattr(io::stdin())?));
        }
        self.before.get().ok_or_else(|| Errno::NOTTY.into())
    }
}

impl Drop for Prompt<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before.get() {
            // The terminal may be gone.
            let _gone = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}

/// A question on the screen: what comes next begins on a line of its own.
struct Asked<'a> {
    terminal: &'a Terminal,
    /// With a line break that was seen.
    is_answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.terminal.err("\n");
        }
    }
}

/// What is typed is not shown, until this is dropped.
struct Unseen<'a>(&'a Termios);

impl<'a> Unseen<'a> {
    fn begin(before: &'a Termios) -> Self {
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        // Without a terminal nothing is shown anyway.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &hidden);
        Self(before)
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, self.0);
    }
}

/// The lines behind `all` up to the one that is the last, or to the end of input.
async fn lines(first: &str, is_last: impl Fn(&str) -> bool) -> Result<Zeroizing<String>, Error> {
    let mut all = SecretText::default();
    all.push_str(first);
    for _ in 0..MOST_LINES {
        let Some(line) = line().await.map_err(unreadable)? else { break };
        if !all.is_empty() {
            all.push_str("\n");
        }
        all.push_str(&line);
        if is_last(&line) {
            break;
        }
    }
    Ok(Zeroizing::new(all.to_string()))
}

/// A line without its end. It is read by a thread that nobody waits for: reading a terminal cannot be
/// interrupted.
async fn line() -> io::Result<Option<Zeroizing<String>>> {
    let (answer, read) = oneshot::channel();
    std::thread::Builder::new().name("prompt".to_owned()).spawn(move || {
        // The one who asked may be gone.
        drop(answer.send(read_line(io::stdin())));
    })?;
    read.await.unwrap_or_else(|_| Err(Errno::CANCELED.into()))
}

/// A terminal gives one line at a time.
fn read_line(from: impl AsFd) -> io::Result<Option<Zeroizing<String>>> {
    let mut buffer = Zeroizing::new(vec![0; LINE]);
    let length = loop {
        match read(&from, buffer.as_mut_slice()) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let bytes = buffer.get(..length).unwrap_or_default();
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what was typed is not UTF-8"))?;
    Ok(Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())))
}

fn unreadable(source: io::Error) -> Error {
    Error::Io { what: "the terminal cannot be read".to_owned(), source }
}
