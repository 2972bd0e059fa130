//! `engine schema`: the JSON Schemas of the files.

use serde_json::{Map, Value, json};

use crate::{
    catalog::{manual, reference},
    cli::{args::SchemaOf, context::Cx, report::Exit},
    error::Error,
    render::Text,
    template::functions,
};

static HELPERS: Text = Text::plain(include_str!("helpers.md.hbs"));

/// Prints one as it is published, or all of them as one document; as Markdown, a page of the reference.
pub fn schema(cx: &Cx, which: Option<SchemaOf>, markdown: bool) -> Result<Exit, Error> {
    if markdown {
        let page = match which {
            Some(SchemaOf::Helpers) => helpers(),
            which => manual::page(&document(which.unwrap_or(SchemaOf::Blueprint))?),
        };
        cx.terminal.out(&page);
        return Ok(Exit::Done);
    }
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
        ("sandbox", SchemaOf::Sandbox),
        ("integrations", SchemaOf::Integrations),
        ("action", SchemaOf::Action),
    ] {
        all.insert(name.to_owned(), document(which)?);
    }
    cx.terminal.json(&Value::Object(all));
    Ok(Exit::Done)
}

fn text(which: SchemaOf) -> String {
    match which {
        SchemaOf::Blueprint => reference::blueprint(),
        SchemaOf::Sandbox => reference::sandbox(),
        SchemaOf::Integrations => reference::integrations(),
        SchemaOf::Action => reference::action(),
        SchemaOf::Helpers => helpers(),
    }
}

fn document(which: SchemaOf) -> Result<Value, Error> {
    serde_json::from_str(&text(which)).map_err(|error| Error::Io {
        what: "the schema is no JSON".to_owned(),
        source: error.into(),
    })
}

/// The helpers of templates, as Markdown.
fn helpers() -> String {
    let escaped = |text: &str| text.replace('|', "\\|");
    let rows = functions::ALL.iter().map(|function| {
        json!({
            "name": function.name,
            "doc": escaped(function.doc),
            "example": escaped(function.example),
        })
    });
    HELPERS.render(&json!({"helpers": rows.collect::<Value>()}))
}
