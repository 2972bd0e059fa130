//! What every command is given, and the two or three things that all of them do with it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    catalog::Loaded,
    cli::{
        args::Format,
        logging::Logging,
        report::{self, Exit},
        table,
        terminal::Terminal,
    },
    engine::Engine,
    error::Error,
    model::{failure::Failure, name, record::RunRecord, time::parse_span},
    policy::plan::PreparedAction,
};
/// The world of a command.
#[derive(Debug)]
pub struct Cx {
    /// The screen.
    pub terminal: Terminal,
    /// How results are printed.
    pub format: Format,
    /// Whether somebody chose the format.
    pub chosen: bool,
    /// Only results and errors.
    pub quiet: bool,
    /// The logs.
    pub logging: Logging,
    /// The folder in which the command was called.
    pub here: PathBuf,
}

impl Cx {
    /// Prints a result in the format of this command.
    pub fn print(&self, value: &Value) {
        match (self.format, value) {
            (Format::Table, _) => self.terminal.out(&table::render(value, self.terminal.width)),
            (Format::Json, _) => self.terminal.json(value),
            (Format::Ndjson, Value::Array(items)) => self.terminal.lines(items),
            (Format::Ndjson, _) => self.terminal.lines(std::slice::from_ref(value)),
        }
    }

    /// Whether results are for programs.
    pub fn for_programs(&self) -> bool {
        match self.format {
            Format::Table => false,
            Format::Json | Format::Ndjson => true,
        }
    }

    /// Says something beside the result, unless nobody wants to hear it.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.terminal.err(text);
        }
    }

    /// Reports an error; how the command ends.
    pub fn fail(&self, error: &Error) -> Exit {
        self.terminal.err(&report::error(error));
        if self.for_programs() {
            self.print(&report::error_json(error));
        }
        report::exit(error)
    }

    /// Reports the failure of a run.
    pub fn failed(&self, failure: &Failure, record: &RunRecord) -> Exit {
        self.terminal.err(&report::failure(failure, record));
        if self.for_programs() {
            self.print(&report::failure_json(failure, record));
        }
        Exit::Failed
    }

    /// Reports that a signal ended the work.
    pub fn stopped(&self, exit: Exit) -> Exit {
        let message = "stopped; what was begun is recorded as cancelled, see `engine logs`";
        self.say(&format!("{message}\n"));
        if self.for_programs() {
            self.print(&json!({"error": {"code": "cancelled", "message": message}}));
        }
        exit
    }

    /// Warnings of a run.
    pub fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            self.say(&report::warning(warning));
        }
    }
}

/// An integration and its actions, whatever variables are missing. Its `log_level` counts from here
/// on.
pub fn integration(cx: &Cx, engine: &Engine, name: &str) -> Result<Arc<Loaded>, Error> {
    if !name::is_integration(name) {
        return Err(engine.catalog().unknown_integration(name).into());
    }
    let loaded = engine.catalog().integration(name)?;
    if let Some(level) = loaded.shape()?.log_level {
        cx.logging.integration(level);
    }
    Ok(loaded)
}

/// One of the actions of an integration.
pub fn action(
    cx: &Cx,
    engine: &Engine,
    (name, action): (&str, &str),
) -> Result<Arc<PreparedAction>, Error> {
    Ok(integration(cx, engine, name)?.action(action)?)
}

/// `--wait`
pub fn wait(text: Option<&str>) -> Result<Option<Duration>, Error> {
    let Some(text) = text else { return Ok(None) };
    let span = parse_span(text).ok_or_else(|| Error::Call {
        code: "call.bad-argument",
        message: format!("`--wait {text}` is no span"),
        hint: Some("write it as `30s`, `5m`, `1h`".to_owned()),
    })?;
    Ok(Some(span))
}
