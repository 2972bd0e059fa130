//! `engine run`: an action, for real or dry.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    cli::{
        args,
        console::Console,
        http_text, input,
        progress::Progress,
        repeat::{self, Given},
        report::{self, Exit},
        signals::{self, Completion},
        terminal::clean,
    },
    engine::{Call, Engine, RunResult},
    error::{CallCode, Error},
    view::{MoreOfRun, Planned, RunEnvelope},
};

/// Runs it, and prints its output.
pub fn run(console: &Console, engine: &Engine, args: &args::Run) -> Result<Exit, Error> {
    let call = call(console, engine, args)?;
    if args.dry_run {
        plan(console, &signals::block_on(engine.plan(call))?, args.curl);
        return Ok(Exit::Done);
    }
    let progress = Progress::new(&console.terminal, console.quiet, Arc::clone(engine.clock()));
    let completion = signals::complete(engine, engine.run(call, &progress))?;
    drop(progress);
    let (finished, stopped) = match completion {
        Completion::Done(finished) => (finished?, None),
        Completion::Stopped(exit, Some(Ok(finished))) => (finished, Some(exit)),
        Completion::Stopped(exit, _) => return Ok(console.stopped(exit)),
    };
    if finished.stored {
        let (run, key) = (&finished.record.id, args.idempotency_key.as_deref());
        let key = clean(key.unwrap_or_default());
        console.say(&format!("stored result of {run} under the key `{key}`; nothing was sent\n"));
    }
    let other = finished.warnings.iter().filter(|warning| !warning.is_cut());
    console.warn(&other.collect::<Vec<_>>());
    let failure = match &finished.output {
        Ok(output) => {
            let exit = succeeded(console, &finished, output, args);
            // The process ends here; freeing a large output piece by piece would be wasted.
            std::mem::forget(finished);
            return Ok(exit);
        }
        Err(failure) => failure,
    };
    let repeat_with = repeat::command(&Given::of_run(args), &finished);
    let more = MoreOfRun { repeat_with, stored: finished.stored };
    let failed = console.failed(failure, &finished.record, more);
    Ok(stopped.unwrap_or(failed))
}

/// Prints the output, and beside it what it lacks.
fn succeeded(console: &Console, finished: &RunResult, output: &Value, args: &args::Run) -> Exit {
    let incomplete = report::incomplete(finished);
    if args.result.envelope {
        console.show(&envelope(finished, output));
    } else {
        console.warn(incomplete.as_slice());
        console.print(output);
    }
    if incomplete.is_some() && args.result.strict { Exit::Incomplete } else { Exit::Done }
}

fn envelope<'a>(finished: &'a RunResult, output: &'a Value) -> RunEnvelope<'a> {
    let RunResult { record, failed, executed, writes, maybe_executed, stored, .. } = finished;
    let cut = finished.cut();
    RunEnvelope {
        run: &record.id,
        output,
        truncated: cut.is_some(),
        truncated_by: cut,
        failed: *failed,
        executed: *executed,
        writes,
        maybe_executed: *maybe_executed,
        stored: *stored,
    }
}

/// The call, its input typed by the action's schema.
fn call(console: &Console, engine: &Engine, args: &args::Run) -> Result<Call, Error> {
    console.integration(engine, &args.integration)?;
    let action = engine.action(&args.integration, &args.action)?;
    let mut whole = args.whole.as_deref().map(input::whole).transpose()?.unwrap_or_default();
    let words = input::words(&args.input, &action.action.input.document)?;
    if let Some((name, _)) = words.query.first() {
        return Err(Error::call(
            CallCode::BadArgument,
            format!("`{name}==` is a query parameter, and actions have none"),
            format!("write `{name}=value`"),
        ));
    }
    whole.extend(words.members);
    Ok(Call {
        integration: args.integration.clone(),
        action: args.action.clone(),
        connection: args.target.connection.clone(),
        input: Value::Object(whole),
        sandbox: args.target.sandbox,
        wait: input::span(args.target.wait.as_deref())?,
        run_limits: input::run_limits(&args.target.run_limits)?,
        idempotency_key: args.idempotency_key.clone(),
    })
}

/// Text, unless a format for programs was chosen: a request is best read as HTTP.
fn plan(console: &Console, planned: &[Planned], curl: bool) {
    if console.chosen && console.for_programs() && !curl {
        return console.show(&planned);
    }
    let text = if curl { http_text::curl } else { http_text::http };
    let blocks: Vec<String> = planned.iter().map(text).collect();
    console.terminal.out(&blocks.join("\n"));
    if planned.is_empty() {
        console.say("nothing would be sent\n");
    }
}
