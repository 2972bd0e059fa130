//! `config` of an entry against the schema of its blueprint.

use serde_json::Value;

use crate::{
    catalog::tree::Node,
    diagnostic::Diagnostics,
    model::blueprint::Blueprint,
    schema::{self, Violation},
};

/// What is wrong with an entry.
#[derive(Default)]
pub struct Findings {
    /// In every use.
    pub always: Diagnostics,
    /// For real; the sandbox overlooks it.
    pub live: Diagnostics,
}

/// Checks `config`, and makes up what only the sandbox may do without. A value that came from the
/// environment is a text; the schema may want a number or a boolean.
pub fn check(entry: &Node, blueprint: &Blueprint, config: &mut Value, found: &mut Findings) {
    let node = entry.get("config").filter(|node| !node.is_null());
    if let (Some(node), Some(map)) = (node, config.as_object_mut()) {
        for (key, value) in node.entries().iter().filter(|(_, node)| node.origin.is_some()) {
            let mut schemas = blueprint.config_schema.properties();
            let Some((_, schema)) = schemas.find(|(name, _)| *name == &*key.name) else { continue };
            if let (Some(text), Some(slot)) = (value.as_str(), map.get_mut(&*key.name)) {
                *slot = schema::coerce(schema, text);
            }
        }
    }
    // The defaults of a shipped schema fit it; an entry without `config` has nothing else.
    if node.is_none() && blueprint.config_schema.document.get("required").is_none() {
        return;
    }
    // A schema with a fault judges nobody.
    if found.always.list().iter().any(|told| told.code == "file.bad-schema") {
        return;
    }
    let tell = |violation: &Violation, found: &mut Diagnostics| {
        let pointer = &violation.pointer;
        let path = pointer.trim_start_matches('/').split('/').filter(|name| !name.is_empty());
        let at = path.fold(node, |node, name| node.and_then(|node| node.get(name)).or(node));
        let place = at.map_or_else(|| entry.place.clone(), |node| node.place.clone());
        let message = format!("`config`{} {}", pointer.replace('/', "."), violation.message);
        found.error("file.bad-config", message).at(&place).maybe_hint(violation.hint.clone());
    };
    let real = schema::check(&blueprint.config_schema, config);
    let made_up = make_up(blueprint, config);
    if made_up.is_empty() {
        for violation in &real {
            tell(violation, &mut found.always);
        }
        return;
    }
    let is_made_up = |pointer: &str| made_up.iter().any(|name| pointer == format!("/{name}"));
    let mut played = schema::check(&blueprint.config_schema, config);
    played.retain(|violation| !is_made_up(&violation.pointer));
    for violation in &played {
        tell(violation, &mut found.always);
    }
    for violation in real.iter().filter(|violation| !played.contains(violation)) {
        tell(violation, &mut found.live);
    }
}

/// Fills what is required and not there; the names.
pub fn make_up(blueprint: &Blueprint, config: &mut Value) -> Vec<String> {
    let schema = &blueprint.config_schema;
    let Some(map) = config.as_object_mut() else { return Vec::new() };
    let missing: Vec<&str> = schema
        .properties()
        .map(|(name, _)| name)
        .filter(|name| schema.requires(name) && !map.contains_key(*name))
        .collect();
    for name in &missing {
        map.insert((*name).to_owned(), "sandbox".into());
    }
    missing.into_iter().map(str::to_owned).collect()
}
