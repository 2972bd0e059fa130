//! `engine list`: what there is.

use serde_json::{Map, Value, json};

use crate::{
    catalog::{ActionSummary, BlueprintSummary, IntegrationSummary},
    cli::{args::List, context::Cx, report::Exit},
    engine::Engine,
    error::Error,
    model::action::Action,
};

const KINDS: [&str; 3] = ["integrations", "actions", "blueprints"];

/// Prints what fits the search, kind by kind; a single action with its input.
pub fn list(cx: &Cx, engine: &Engine, args: &List) -> Result<Exit, Error> {
    let kind = args.what.as_deref().filter(|what| KINDS.contains(what));
    let first = args.what.as_ref().filter(|_| kind.is_none());
    let words: Vec<String> =
        first.into_iter().chain(&args.words).map(|w| w.to_lowercase()).collect();
    if let Some(kind) = kind {
        let found = rows(engine, kind, &words)?;
        match (kind, found.as_slice()) {
            ("actions", [only]) => {
                let whole = one(engine, only)?;
                // A record reads better than a table of one row; programs always get a list.
                cx.print(&if cx.for_programs() { Value::Array(vec![whole]) } else { whole });
            }
            _ => cx.print(&Value::Array(found)),
        }
        return Ok(Exit::Done);
    }
    let mut all = Map::new();
    for kind in KINDS {
        let found = rows(engine, kind, &words)?;
        // An empty table tells nobody anything, an empty list does.
        if !found.is_empty() || cx.for_programs() {
            all.insert(kind.to_owned(), Value::Array(found));
        }
    }
    cx.print(&Value::Object(all));
    Ok(Exit::Done)
}

fn rows(engine: &Engine, kind: &str, words: &[String]) -> Result<Vec<Value>, Error> {
    let catalog = engine.catalog();
    let rows: Vec<Value> = match kind {
        "integrations" => catalog.integrations()?.map(integration).collect(),
        "blueprints" => catalog.blueprints().iter().map(blueprint).collect(),
        _ => catalog.actions().iter().map(action).collect(),
    };
    let words: Vec<Word<'_>> = words.iter().map(|word| Word::new(engine, word)).collect();
    Ok(rows.into_iter().filter(|row| fits(row, &words)).collect())
}

/// A word of a search.
struct Word<'w> {
    text: &'w str,
    /// If it names an entry, which may be named otherwise than its blueprint: its blueprints.
    extends: Vec<String>,
}

impl<'w> Word<'w> {
    fn new(engine: &Engine, text: &'w str) -> Self {
        let loaded = engine.catalog().integration(text).and_then(|loaded| loaded.shape());
        let chain = loaded.iter().flat_map(|integration| &*integration.blueprint.chain);
        Self { text, extends: chain.map(|id| id.name.clone()).collect() }
    }
}

/// Whether all words occur in the texts of a row, or name an entry whose action it is.
fn fits(row: &Value, words: &[Word<'_>]) -> bool {
    let cells = row.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    let text = cells.map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    let blueprint = text_of(row, "blueprint");
    words.iter().all(|word| {
        text.contains(word.text) || word.extends.iter().any(|name| Some(&**name) == blueprint)
    })
}

fn integration(summary: IntegrationSummary) -> Value {
    let IntegrationSummary { name, blueprint, title, problem } = summary;
    json!({"integration": name, "blueprint": blueprint, "title": title, "problem": problem})
}

fn blueprint(summary: &BlueprintSummary) -> Value {
    let BlueprintSummary { id, title, categories, auth_mode, file: _, project } = summary;
    let from = if *project { "project" } else { "built-in" };
    json!({"blueprint": id, "title": title, "auth": auth_mode, "from": from, "categories": categories.join(", ")})
}

fn action(summary: &ActionSummary) -> Value {
    let ActionSummary { blueprint, name, title: _, description, effect, input, file: _ } = summary;
    json!({
        "blueprint": blueprint,
        "action": name,
        "effect": effect,
        "input": input.join(" "),
        "description": description,
    })
}

/// An action with its input, if its files are sound.
fn one(engine: &Engine, row: &Value) -> Result<Value, Error> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let (blueprint, _) = text("blueprint").split_once(':').unwrap_or((text("blueprint"), ""));
    let mut row = row.clone();
    if text_of(&row, "problem").is_none() {
        let loaded = engine.catalog().integration(blueprint)?;
        let action = loaded.action(text_of(&row, "action").unwrap_or(""))?;
        if let Some(map) = row.as_object_mut() {
            map.insert("input".to_owned(), input(&action.action));
        }
    }
    Ok(row)
}

fn text_of<'a>(row: &'a Value, name: &str) -> Option<&'a str> {
    row.get(name)?.as_str()
}

/// One row an input.
fn input(action: &Action) -> Value {
    let row = |(name, schema): (&str, &Value)| {
        json!({
            "name": name,
            "type": schema.get("type").or_else(|| schema.get("enum")),
            "required": action.input.requires(name),
            "default": schema.get("default"),
            "about": schema.get("description"),
        })
    };
    action.input.properties().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_must_occur() {
        let row = json!({"action": "post-message", "blueprint": "slack:v0", "problem": null});
        for (words, found) in [
            (&[][..], true),
            (&["slack"], true),
            (&["post", "slack"], true),
            (&["post", "x"], false),
        ] {
            let words: Vec<Word<'_>> =
                words.iter().map(|&text| Word { text, extends: Vec::new() }).collect();
            assert_eq!(fits(&row, &words), found, "{found}");
        }
    }
}
