//! `engine list`: what there is.

use serde::Serialize;

use crate::{
    cli::{args::List, console::Console, report::Exit},
    engine::Engine,
    error::Error,
    view::{Action, Blueprint, Integration},
};

/// Everything that fits a search; for people without the kinds of which nothing does.
#[derive(Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Option::is_none")]
    integrations: Option<Vec<Integration>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<Vec<Action>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blueprints: Option<Vec<Blueprint>>,
}

/// Prints what fits the search, kind by kind; a single action with its input.
pub fn list(console: &Console, engine: &Engine, args: &List) -> Result<Exit, Error> {
    let words: Vec<String> = args.what.iter().chain(&args.words).cloned().collect();
    match args.what.as_deref() {
        Some("integrations") => console.show(&engine.integrations(&args.words)?),
        Some("blueprints") => console.show(&engine.blueprints(&args.words)?),
        Some("actions") => actions(console, engine, engine.actions(&args.words)?)?,
        Some(_) | None => console.show(&Found {
            integrations: shown(console, engine.integrations(&words)?),
            actions: shown(console, engine.actions(&words)?),
            blueprints: shown(console, engine.blueprints(&words)?),
        }),
    }
    Ok(Exit::Done)
}

fn actions(console: &Console, engine: &Engine, mut found: Vec<Action>) -> Result<(), Error> {
    let only = if found.len() == 1 { found.pop() } else { None };
    match only.map(|only| engine.with_inputs(only)).transpose()? {
        None => console.show(&found),
        // A record reads better than a table of one row; programs always get a list.
        Some(whole) if console.for_programs() => console.show(&[whole]),
        Some(whole) => console.show(&whole),
    }
    Ok(())
}

/// An empty table says nothing to people; programs get an empty list.
fn shown<T>(console: &Console, found: Vec<T>) -> Option<Vec<T>> {
    Some(found).filter(|found| !found.is_empty() || console.for_programs())
}
