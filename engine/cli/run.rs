//! `engine run`: an action, for real or dry.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    cli::{
        args,
        console::Console,
        http_text, input,
        progress::Progress,
        report::Exit,
        signals::{self, Completion},
    },
    engine::{Call, Engine, RunResult},
    error::{CallCode, Error},
    view::Planned,
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
    let RunResult { record, output, warnings } = finished;
    console.warn(&warnings);
    match output {
        Ok(output) => {
            console.print(&output);
            // The process ends here; freeing a large output piece by piece would be wasted.
            std::mem::forget(output);
            Ok(Exit::Done)
        }
        Err(failure) => {
            let failed = console.failed(&failure, &record);
            Ok(stopped.unwrap_or(failed))
        }
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
