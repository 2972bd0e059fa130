//! `engine list`: what there is.

use serde::Serialize;

use crate::{
    cli::{args::List, context::Cx, report::Exit},
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
pub fn list(cx: &Cx, engine: &Engine, args: &List) -> Result<Exit, Error> {
    let words: Vec<String> = args.what.iter().chain(&args.words).cloned().collect();
    match args.what.as_deref() {
        Some("integrations") => cx.show(&engine.integrations(&args.words)?),
        Some("blueprints") => cx.show(&engine.blueprints(&args.words)),
        Some("actions") => actions(cx, engine, engine.actions(&args.words))?,
        Some(_) | None => cx.show(&Found {
            integrations: shown(cx, engine.integrations(&words)?),
            actions: shown(cx, engine.actions(&words)),
            blueprints: shown(cx, engine.blueprints(&words)),
        }),
    }
    Ok(Exit::Done)
}

fn actions(cx: &Cx, engine: &Engine, mut found: Vec<Action>) -> Result<(), Error> {
    let only = if found.len() == 1 { found.pop() } else { None };
    match only.map(|only| engine.with_inputs(only)).transpose()? {
        None => cx.show(&found),
        // A record reads better than a table of one row; programs always get a list.
        Some(whole) if cx.for_programs() => cx.show(&[whole]),
        Some(whole) => cx.show(&whole),
    }
    Ok(())
}

/// An empty table says nothing to people; programs get an empty list.
fn shown<T>(cx: &Cx, found: Vec<T>) -> Option<Vec<T>> {
    Some(found).filter(|found| !found.is_empty() || cx.for_programs())
}
