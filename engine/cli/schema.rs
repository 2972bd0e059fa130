//! `engine schema`: the JSON Schemas of the files.

use serde_json::Value;

use crate::{
    cli::{args::SchemaOf, console::Console, report::Exit},
    engine::Described,
};

/// Prints one as it is published, or all of them as one document; as Markdown, a page of the reference.
pub fn schema(console: &Console, which: Option<SchemaOf>, markdown: bool) -> Exit {
    let one = which.map_or(Described::Blueprint, described);
    match (one.schema(), markdown) {
        (None, _) | (_, true) => console.terminal.out(&one.page()),
        (Some(schema), false) if which.is_some() => console.terminal.out(&format!("{schema:#}\n")),
        (Some(_), false) => {
            let all = [
                ("blueprint", Described::Blueprint),
                ("sandbox", Described::Sandbox),
                ("integrations", Described::Integrations),
                ("action", Described::Action),
            ];
            let all =
                all.into_iter().filter_map(|(name, one)| Some((name.to_owned(), one.schema()?)));
            console.terminal.json(&Value::Object(all.collect()));
        }
    }
    Exit::Done
}

fn described(which: SchemaOf) -> Described {
    match which {
        SchemaOf::Blueprint => Described::Blueprint,
        SchemaOf::Sandbox => Described::Sandbox,
        SchemaOf::Integrations => Described::Integrations,
        SchemaOf::Action => Described::Action,
        SchemaOf::Helpers => Described::Helpers,
    }
}
