//! `engine schema`: the JSON Schemas of the files.

use serde_json::{Map, Value};

use crate::{
    catalog::reference,
    cli::{args::SchemaOf, context::Cx, report::Exit},
    error::Error,
};

/// Prints one as it is published, or all three as one document.
pub fn schema(cx: &Cx, which: Option<SchemaOf>) -> Result<Exit, Error> {
    if let Some(which) = which {
        let mut text = text(which);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        cx.terminal.out(&text);
        return Ok(Exit::Done);
    }
    let mut all = Map::new();
    for (name, which) in [
        ("blueprint", SchemaOf::Blueprint),
        ("integrations", SchemaOf::Integrations),
        ("action", SchemaOf::Action),
    ] {
        let document: Value = serde_json::from_str(&text(which)).map_err(|error| Error::Io {
            what: format!("the schema of `{name}` is no JSON"),
            source: error.into(),
        })?;
        all.insert(name.to_owned(), document);
    }
    cx.terminal.json(&Value::Object(all));
    Ok(Exit::Done)
}

fn text(which: SchemaOf) -> String {
    match which {
        SchemaOf::Blueprint => reference::blueprint(),
        SchemaOf::Integrations => reference::integrations(),
        SchemaOf::Action => reference::action(),
    }
}
