//! `engine schema`: the JSON Schemas of the files.

use serde_json::{Value, json};

use crate::{
    catalog::{formats, formats::Format, manual, reference},
    cli::{args::SchemaOf, context::Cx, report::Exit},
    render::Text,
    template::functions,
};

static HELPERS: Text = Text::plain(include_str!("helpers.md.hbs"));

/// Prints one as it is published, or all of them as one document; as Markdown, a page of the reference.
pub fn schema(cx: &Cx, which: Option<SchemaOf>, markdown: bool) -> Exit {
    let Some(format) = which.map_or(Some(&formats::BLUEPRINT), format) else {
        cx.terminal.out(&helpers());
        return Exit::Done;
    };
    if markdown {
        cx.terminal.out(&manual::page(format));
    } else if which.is_some() {
        cx.terminal.out(&format!("{:#}\n", reference::schema(format)));
    } else {
        let all = [
            ("blueprint", &formats::BLUEPRINT),
            ("sandbox", &formats::SANDBOX),
            ("integrations", &formats::INTEGRATIONS),
            ("action", &formats::ACTION),
        ];
        let all = all.map(|(name, format)| (name.to_owned(), reference::schema(format)));
        cx.terminal.json(&Value::Object(all.into_iter().collect()));
    }
    Exit::Done
}

fn format(which: SchemaOf) -> Option<&'static Format> {
    match which {
        SchemaOf::Blueprint => Some(&formats::BLUEPRINT),
        SchemaOf::Sandbox => Some(&formats::SANDBOX),
        SchemaOf::Integrations => Some(&formats::INTEGRATIONS),
        SchemaOf::Action => Some(&formats::ACTION),
        SchemaOf::Helpers => None,
    }
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
