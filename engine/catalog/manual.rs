//! The reference of the formats as Markdown, made of their descriptions: every key with its type, its
//! meaning, and the mode or kind that it belongs to.

use serde_json::{Value, json};

use crate::{
    catalog::{
        form::description::{Kind, Part, Row, What},
        format::all::Format,
    },
    render::Text,
};

static PAGE: Text = Text::plain(include_str!("manual.md.hbs"));

/// The page of a format.
pub fn page(format: &Format) -> String {
    let description = (format.describe)();
    let sections = description.parts.iter().enumerate();
    let sections = sections.map(|(at, part)| section(part, at > 0)).collect::<Value>();
    PAGE.render(&json!({"title": format.title, "sections": sections}))
}

/// The keys of an object, or the values of a choice.
fn section(part: &Part, named: bool) -> Value {
    let name = named.then_some(part.name);
    match &part.what {
        What::Choice(words) => {
            let value = |name: &str, doc| json!({"name": name, "meaning": cell(doc)});
            let values = words.iter().map(|word| value(word.name, word.doc));
            json!({"name": name, "meaning": part.doc, "values": values.collect::<Value>()})
        }
        What::Object(rows) => {
            let by = rows.iter().find_map(|row| Some(row.owners.as_ref()?.by));
            let keys = rows.iter().map(|row| {
                let owners = row.owners.as_ref().map(|owners| owners.values.join(", "));
                json!({
                    "key": row.name,
                    "needed": row.needed,
                    "by": by,
                    "owners": owners.unwrap_or_default(),
                    "kind": kind(&row.kind),
                    "meaning": meaning(row),
                })
            });
            json!({"name": name, "meaning": part.doc, "by": by, "keys": keys.collect::<Value>()})
        }
    }
}

fn meaning(row: &Row) -> String {
    let mut text = cell(row.doc);
    if let Some(default) = &row.default {
        let blank = default.trim().is_empty();
        let shown = if blank { format!("'{default}'") } else { cell(default) };
        text.push_str(&format!(" Default: `{shown}`."));
    }
    if let Some(example) = row.example {
        text.push_str(&format!(" Example: `{}`.", cell(example)));
    }
    text
}

/// What may stand there, in a few words.
fn kind(of: &Kind) -> String {
    match of {
        Kind::Any => "any value".to_owned(),
        Kind::Text(_) => "text".to_owned(),
        Kind::Template => "template".to_owned(),
        Kind::Bool => "boolean".to_owned(),
        Kind::Whole(1.., _) => "whole number above 0".to_owned(),
        Kind::Whole(..) => "whole number".to_owned(),
        Kind::Status => "status".to_owned(),
        Kind::Rows => "number".to_owned(),
        Kind::Schema => "[JSON Schema](https://json-schema.org/draft/2020-12/schema)".to_owned(),
        Kind::Part(name) => format!("[{name}](#{})", name.to_lowercase()),
        Kind::List(items) => format!("list of {}", kind(items)),
        Kind::Map(values) | Kind::Fields(values) => format!("object of {}", kind(values)),
        Kind::Either(all) => all.iter().map(kind).collect::<Vec<_>>().join(" or "),
    }
}

/// On one line, safe within a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
