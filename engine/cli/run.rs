//! `engine run`: an action, for real or dry.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    cli::{
        args,
        context::{self, Cx},
        http_text, input,
        progress::Progress,
        report::Exit,
        signals::{self, Ended},
    },
    engine::{Call, Engine, RunResult},
    error::Error,
    view::Planned,
};

/// Runs it, and prints its output.
pub fn run(cx: &Cx, engine: &Engine, args: &args::Run) -> Result<Exit, Error> {
    let call = call(cx, engine, args)?;
    if args.dry_run {
        plan(cx, &signals::wait(engine.plan(call))?, args.curl);
        return Ok(Exit::Done);
    }
    let progress = Progress::new(&cx.terminal, cx.quiet, Arc::clone(engine.clock()));
    let ended = signals::run(engine, engine.run(call, &progress))?;
    drop(progress);
    let (finished, stopped) = match ended {
        Ended::Done(finished) => (finished?, None),
        Ended::Stopped(exit, Some(Ok(finished))) => (finished, Some(exit)),
        Ended::Stopped(exit, _) => return Ok(cx.stopped(exit)),
    };
    let RunResult { record, output, warnings } = finished;
    cx.warn(&warnings);
    match output {
        Ok(output) => {
            cx.print(&output);
            // The process ends here; freeing a large output piece by piece would be wasted.
            std::mem::forget(output);
            Ok(Exit::Done)
        }
        Err(failure) => {
            let failed = cx.failed(&failure, &record);
            Ok(stopped.unwrap_or(failed))
        }
    }
}

/// The call, its input typed by the action's schema.
fn call(cx: &Cx, engine: &Engine, args: &args::Run) -> Result<Call, Error> {
    context::integration(cx, engine, &args.integration)?;
    let action = engine.action(&args.integration, &args.action)?;
    let mut whole = args.whole.as_deref().map(input::whole).transpose()?.unwrap_or_default();
    let words = input::words(&args.input, &action.action.input.document)?;
    if let Some((name, _)) = words.query.first() {
        return Err(Error::bad_argument(
            format!("`{name}==` is a query parameter, and actions have none"),
            format!("write `{name}=value`"),
        ));
    }
    whole.extend(words.members);
    Ok(Call {
        integration: args.integration.clone(),
        action: args.action.clone(),
        connection: args.party.connection.clone(),
        input: Value::Object(whole),
        sandbox: args.party.sandbox,
        wait: context::span(args.party.wait.as_deref())?,
    })
}

/// Text, unless a format for programs was chosen: a request is best read as HTTP.
fn plan(cx: &Cx, planned: &[Planned], curl: bool) {
    if cx.chosen && cx.for_programs() && !curl {
        return cx.show(&planned);
    }
    let text = if curl { http_text::curl } else { http_text::http };
    let blocks: Vec<String> = planned.iter().map(text).collect();
    cx.terminal.out(&blocks.join("\n"));
    if planned.is_empty() {
        cx.say("nothing would be sent\n");
    }
}
