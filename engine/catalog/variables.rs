//! What the `${…}` of an entry stood for, as far as it may be a secret.

use serde_json::Value;

use crate::{
    catalog::tree::{Kind, Node, Source},
    model::{
        blueprint::{Blueprint, Variable},
        secret::Secret,
    },
};

/// All of an entry, in its order.
pub fn of(entry: &Node, blueprint: &Blueprint) -> Vec<Variable> {
    let mut found = Vec::new();
    for (key, node) in entry.entries() {
        match &*key.name {
            "oauth_client_id" => {}
            "config" => {
                let secret =
                    node.entries().iter().filter(|(key, _)| !is_open(&key.name, blueprint));
                secret.for_each(|(_, node)| gather(node, &mut found));
            }
            _ => gather(node, &mut found),
        }
    }
    found
}

/// Whether a setting is one of some words, or stands in the base URL.
fn is_open(name: &str, blueprint: &Blueprint) -> bool {
    let schema = blueprint.config_schema.properties().find(|(known, _)| *known == name);
    let words = schema.is_some_and(|(_, schema)| {
        schema.get("enum").is_some() || schema.get("type").is_some_and(|kind| kind == "boolean")
    });
    let base = &*blueprint.requests.base_url.source;
    let reads = |path: String| {
        base.match_indices(&path).any(|(at, _)| {
            let next = base.get(at + path.len()..).and_then(|rest| rest.chars().next());
            !next.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        })
    };
    words || reads(format!("integration.{name}")) || reads(format!("integration.config.{name}"))
}

fn gather(node: &Node, found: &mut Vec<Variable>) {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
        Kind::String(text) => inserted(node, text, found),
        Kind::List(items) => items.iter().for_each(|item| gather(item, found)),
        Kind::Map(entries) => {
            // Where requests go is seen anyway, by whoever sees them.
            let secret = entries.iter().filter(|(key, _)| {
                let name = &*key.name;
                !name.ends_with("_url") && !matches!(name, "url" | "hosts" | "issuer" | "proxy")
            });
            secret.for_each(|(_, node)| gather(node, found));
        }
    }
}

fn inserted(node: &Node, text: &str, found: &mut Vec<Variable>) {
    let Some(origin) = &node.origin else { return };
    for (range, source) in origin.inserted.iter().zip(&origin.sources) {
        let written = match source {
            Source::Variable(name) => format!("${{{name}}}"),
            Source::File(path) => format!("${{file:{path}}}"),
            // Its text stands in the file, or nowhere.
            Source::Default(_) | Source::Missing(_) => continue,
        };
        let value = text.get(range.clone()).unwrap_or_default();
        let is_number = serde_json::from_str::<Value>(value).is_ok_and(|value| value.is_number());
        let known = found.iter().any(|known| known.written == written);
        if !value.is_empty() && !is_number && !known {
            found.push(Variable { written, value: Secret::new(value.to_owned()) });
        }
    }
}
