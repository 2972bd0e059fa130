//! `engine logs`: what was done.

use serde::Serialize;

use crate::{
    cli::{
        args::{self, Format},
        console::Console,
        report::Exit,
        signals,
    },
    diagnostic::suggest,
    engine::{Engine, RunFilter},
    error::{CallCode, Error},
    model::{
        record::{AttemptRecord, RunStatus},
        time::Timestamp,
    },
    view::{Attempts, Run},
};

/// Prints runs, or one run with its attempts.
pub fn logs(console: &Console, engine: &Engine, args: args::Logs) -> Result<Exit, Error> {
    match &args.run {
        Some(id) => {
            let run = signals::block_on(engine.run_record(id))?;
            if console.for_programs() {
                console.show(&run);
            } else {
                console.show(&Whole::from(&run));
            }
        }
        None => {
            let runs = signals::block_on(engine.runs(filter(args)?))?;
            match console.format {
                Format::Table => console.show(&runs.iter().map(Row::from).collect::<Vec<_>>()),
                Format::Json => console.show(&Runs { runs }),
                Format::Ndjson => console.show(&runs),
            }
        }
    }
    Ok(Exit::Done)
}

fn filter(args: args::Logs) -> Result<RunFilter, Error> {
    let status = args.status.as_deref().map(|text| {
        RunStatus::parse(text).ok_or_else(|| Error::Call {
            code: CallCode::BadArgument,
            message: format!("`{text}` is not a status of a run"),
            hint: suggest(text, RunStatus::ALL.map(RunStatus::as_str)),
        })
    });
    Ok(RunFilter {
        integration: args.integration,
        action: args.action,
        connection: args.connection,
        status: status.transpose()?,
        limit: args.limit,
    })
}

#[derive(Serialize)]
struct Runs {
    runs: Vec<Run>,
}

/// A run as a line of a table.
#[derive(Serialize)]
struct Row<'a> {
    started: Timestamp,
    run: &'a str,
    integration: &'a str,
    action: &'a str,
    connection: &'a str,
    status: RunStatus,
    ms: Option<u64>,
    requests: u64,
    error: Option<&'static str>,
}

impl<'a> From<&'a Run> for Row<'a> {
    fn from(run: &'a Run) -> Self {
        Self {
            started: run.started_at,
            run: &run.id,
            integration: &run.integration,
            action: &run.action,
            connection: &run.connection,
            status: run.status,
            ms: run.duration_ms,
            requests: run.attempts.count(),
            error: run.error.as_ref().map(|failure| failure.code.as_str()),
        }
    }
}

/// A run, and a table of its attempts.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    run: Run,
    attempts: Vec<AttemptRow<'a>>,
}

impl<'a> From<&'a Run> for Whole<'a> {
    fn from(run: &'a Run) -> Self {
        let attempts = match &run.attempts {
            Attempts::Whole(list) => list.iter().map(AttemptRow::from).collect(),
            Attempts::Count(_) => Vec::new(),
        };
        Self { run: run.clone(), attempts }
    }
}

/// An attempt as a line of a table.
#[derive(Serialize)]
struct AttemptRow<'a> {
    step: &'a str,
    item: Option<u64>,
    #[serde(rename = "try")]
    attempt: u32,
    request: String,
    status: Option<u16>,
    outcome: &'a str,
    ms: u64,
    waited: Option<u64>,
    message: Option<&'a str>,
}

impl<'a> From<&'a AttemptRecord> for AttemptRow<'a> {
    fn from(record: &'a AttemptRecord) -> Self {
        Self {
            step: &record.step,
            item: record.item,
            attempt: record.attempt,
            request: format!("{} {}", record.method, record.url),
            status: record.status,
            outcome: record.outcome,
            ms: record.duration_ms,
            waited: Some(record.waited_ms).filter(|ms| *ms > 0),
            message: record.message.as_deref(),
        }
    }
}
