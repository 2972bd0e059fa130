//! The screen: everything that is printed passes here.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, BufWriter, ErrorKind, IsTerminal, Write},
    sync::OnceLock,
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::args::ColorWhen;

/// Errors.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Warnings.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Hints.
pub const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is beside the point.
pub const FAINT: Style = Style::new().dimmed();
/// Headings.
pub const STRONG: Style = Style::new().bold();

/// Bytes that are written at once.
const BUFFER: usize = 64 * 1024;

/// Columns of a terminal that does not say how many it has.
const WIDTH: u16 = 100;

/// Standard output and standard error.
#[derive(Debug)]
pub struct Terminal {
    /// Whether standard output is a terminal.
    pub screen: bool,
    /// Whether standard error is one.
    pub alive: bool,
    /// How many columns there are.
    pub width: u16,
    out: ColorChoice,
    err: ColorChoice,
    /// Why standard output took no more, unless its reader went away.
    broken: OnceLock<io::Error>,
    closed: OnceLock<()>,
}

impl Terminal {
    /// The screen of this process, given the environment.
    pub fn new(when: ColorWhen, environment: &BTreeMap<String, String>) -> Self {
        let (screen, alive) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let columns = environment.get("COLUMNS").and_then(|text| text.parse().ok());
        Self {
            screen,
            alive,
            width: columns.unwrap_or(WIDTH).clamp(40, 1000),
            out: choice(when, screen, environment),
            err: choice(when, alive, environment),
            broken: OnceLock::new(),
            closed: OnceLock::new(),
        }
    }

    /// Whether standard error takes colours.
    pub fn colours(&self) -> bool {
        self.err != ColorChoice::Never
    }

    /// Prints text that ends in a line break, styles included, to standard output.
    pub fn out(&self, text: &str) {
        self.write(|to| to.write_all(text.as_bytes()));
    }

    /// Prints a JSON document, for people too, and a line break to standard output.
    pub fn json(&self, value: &impl Serialize) {
        self.raw(|to| {
            serde_json::to_writer_pretty(&mut *to, value)?;
            to.write_all(b"\n")
        });
    }

    /// Prints JSON documents, one a line.
    pub fn lines(&self, values: &[impl Serialize]) {
        self.raw(|to| {
            values.iter().try_for_each(|value| {
                serde_json::to_writer(&mut *to, value)?;
                to.write_all(b"\n")
            })
        });
    }

    /// Hands bytes on to standard output as they are.
    pub fn bytes(&self, bytes: &[u8]) {
        self.raw(|to| to.write_all(bytes));
    }

    /// Whether standard output takes no more.
    pub fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Prints text that ends in a line break to standard error. If that fails, there is nowhere to report it.
    pub fn err(&self, text: &str) {
        let mut to = AutoStream::new(io::stderr().lock(), self.err);
        let _unheard = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    }

    /// Why standard output took no more, unless its reader went away.
    pub fn broken(&mut self) -> Option<io::Error> {
        self.broken.take()
    }

    /// Prints what holds no styles.
    fn raw(&self, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        self.through(io::stdout().lock(), print);
    }

    fn write(&self, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        self.through(AutoStream::new(io::stdout().lock(), self.out), print);
    }

    fn through(&self, to: impl Write, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.closed.get().is_some() {
            return;
        }
        let mut to = BufWriter::with_capacity(BUFFER, to);
        if let Err(error) = print(&mut to).and_then(|()| to.flush()) {
            // Once is enough; what the buffer still holds has nowhere to go.
            let (_, _unwritten) = to.into_parts();
            self.closed.get_or_init(|| ());
            if error.kind() != ErrorKind::BrokenPipe {
                self.broken.get_or_init(|| error);
            }
        }
    }
}

/// Colours or not: what was asked for, else `NO_COLOR`, `CLICOLOR_FORCE`, `TERM`, the terminal
/// (<https://no-color.org>, <https://bixense.com/clicolors>).
fn choice(when: ColorWhen, terminal: bool, environment: &BTreeMap<String, String>) -> ColorChoice {
    let set = |name: &str| environment.get(name).map(String::as_str).unwrap_or_default();
    let colours = match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if !set("NO_COLOR").is_empty() => false,
        ColorWhen::Auto if !matches!(set("CLICOLOR_FORCE"), "" | "0") => true,
        ColorWhen::Auto => terminal && set("TERM") != "dumb" && set("CLICOLOR") != "0",
    };
    if colours { ColorChoice::Always } else { ColorChoice::Never }
}

/// Text in a style.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Text from elsewhere that cannot steer the terminal: control characters but line breaks and
/// tabs, and characters that turn the direction of writing, become `\u{…}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_conventions() {
        for (when, terminal, variables, colours) in [
            (ColorWhen::Auto, true, &[][..], true),
            (ColorWhen::Auto, false, &[], false),
            (ColorWhen::Auto, true, &[("NO_COLOR", "1")], false),
            (ColorWhen::Auto, true, &[("NO_COLOR", "")], true),
            (ColorWhen::Auto, true, &[("TERM", "dumb")], false),
            (ColorWhen::Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (ColorWhen::Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (ColorWhen::Auto, true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (ColorWhen::Always, false, &[("NO_COLOR", "1")], true),
            (ColorWhen::Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ] {
            let environment =
                variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let found = choice(when, terminal, &environment) != ColorChoice::Never;
            assert_eq!(found, colours, "{when:?} {terminal} {variables:?}");
        }
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(clean("a\tb\nc é"), "a\tb\nc é");
        assert_eq!(clean("\u{1b}[2Jx\u{9b}y\r"), "\\u{1b}[2Jx\\u{9b}y\\u{d}");
        assert_eq!(clean("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
    }
}
