//! What every command is given: where it prints, in which format, and where it was called.

use std::{path::PathBuf, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use crate::{
    cli::{
        args::Format,
        logging::Logging,
        report::{self, Exit},
        table,
        terminal::{Terminal, clean},
    },
    engine::Engine,
    error::Error,
    model::{blueprint::Integration, failure::Failure, record::RunRecord},
    view::{ErrorBody, MoreOfRun},
};

/// Where the results, messages and errors of a command go.
#[derive(Debug)]
pub struct Console {
    /// The screen.
    pub terminal: Terminal,
    /// How results are printed.
    pub format: Format,
    /// Whether the caller chose the format.
    pub chosen: bool,
    /// Only results and errors.
    pub quiet: bool,
    /// The logs.
    pub logging: Logging,
    /// The folder in which the command was called.
    pub here: PathBuf,
}

/// A list that is printed as it comes, as [`Console::show`] would print it whole.
pub struct List<'a> {
    console: &'a Console,
    begun: bool,
}

impl List<'_> {
    /// Prints more elements.
    pub fn add(&mut self, elements: &[impl Serialize]) {
        let terminal = &self.console.terminal;
        if self.console.format == Format::Ndjson {
            return terminal.lines(elements);
        }
        let mut out = String::new();
        for element in elements {
            out.push_str(if self.begun { ",\n  " } else { "[\n  " });
            self.begun = true;
            // Text, numbers and JSON: nothing in it can fail to serialise.
            let text = serde_json::to_string_pretty(element).unwrap_or_default();
            out.push_str(&text.replace('\n', "\n  "));
        }
        terminal.bytes(out.as_bytes());
    }

    /// Prints its end.
    pub fn end(self) {
        if self.console.format != Format::Ndjson {
            self.console.terminal.bytes(if self.begun { b"\n]\n" } else { b"[]\n" });
        }
    }
}

impl Console {
    /// Prints a result in the format of this command.
    pub fn print(&self, value: &Value) {
        match (self.format, value) {
            (Format::Table, _) => self.terminal.out(&table::render(value, self.terminal.width)),
            (Format::Json, _) => self.terminal.json(value),
            (Format::Ndjson, Value::Array(items)) => self.terminal.lines(items),
            (Format::Ndjson, _) => self.terminal.lines(std::slice::from_ref(value)),
        }
    }

    /// Prints what a door shows, in the format of this command.
    pub fn show(&self, shown: &impl Serialize) {
        match self.format {
            Format::Json => self.terminal.json(shown),
            // Text, numbers and JSON: nothing in it can fail to serialise.
            Format::Table | Format::Ndjson => {
                self.print(&serde_json::to_value(shown).unwrap_or_default());
            }
        }
    }

    /// A list whose elements are printed as they come; `None` for a table.
    pub fn list(&self) -> Option<List<'_>> {
        self.for_programs().then_some(List { console: self, begun: false })
    }

    /// Whether results are for programs.
    pub fn for_programs(&self) -> bool {
        match self.format {
            Format::Table => false,
            Format::Json | Format::Ndjson => true,
        }
    }

    /// Prints a message beside the result, unless the caller wants none.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.terminal.err(text);
        }
    }

    /// Reports an error; how the command ends.
    pub fn fail(&self, error: &Error) -> Exit {
        self.terminal.err(&report::error(error));
        if self.for_programs() {
            self.show(&ErrorBody::from(error));
        }
        report::exit(error)
    }

    /// Reports the failure of a run.
    pub fn failed(&self, failure: &Failure, record: &RunRecord, more: MoreOfRun) -> Exit {
        self.terminal.err(&report::failure(failure, record, more.repeat_with.as_deref()));
        if self.for_programs() {
            self.show(&ErrorBody::of_run(failure, &record.id).with(more));
        }
        Exit::Failed
    }

    /// Reports what came of work that belongs to no run.
    pub fn conclude<T: Serialize>(
        &self,
        result: Result<T, Failure>,
        message: impl FnOnce(&T) -> String,
    ) -> Exit {
        match result {
            Ok(value) => {
                self.say(&format!("{}\n", clean(&message(&value))));
                if self.for_programs() {
                    self.show(&value);
                }
                Exit::Done
            }
            Err(failure) => {
                self.terminal.err(&report::plain_failure(&failure));
                if self.for_programs() {
                    self.show(&ErrorBody::from(&failure));
                }
                Exit::Failed
            }
        }
    }

    /// Reports that a signal ended the work.
    pub fn stopped(&self, exit: Exit) -> Exit {
        let message = "stopped; what was begun is recorded as cancelled, see `engine logs`";
        self.say(&format!("{message}\n"));
        if self.for_programs() {
            self.show(&ErrorBody::stopped(message));
        }
        exit
    }

    /// Warnings of a run.
    pub fn warn(&self, warnings: &[impl ToString]) {
        for warning in warnings {
            self.say(&report::warning(&warning.to_string()));
        }
    }

    /// An integration for its shape alone: what its files say, whatever variables are missing. Its
    /// `log_level` counts from here on.
    pub fn integration(&self, engine: &Engine, name: &str) -> Result<Arc<Integration>, Error> {
        let integration = engine.integration(name)?;
        if let Some(level) = integration.log_level {
            self.logging.integration(level);
        }
        Ok(integration)
    }
}
