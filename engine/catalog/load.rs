//! Loads what a call needs, and nothing else.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    catalog::{
        chain::{at_place, chain},
        decode::{Raw, decode},
        entry::{self, Entries},
        env::{Environment, Missing},
        error::Error,
        files::{Entry, Files, Top},
        merge::merge,
        resolve::{
            action::{self, Expected},
            blueprint::{self, Extent, Identity},
        },
        spec::integration::{IntegrationSpec, LevelSpec},
        tree::{Key, Kind, Node},
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        action::Action,
        blueprint::{Blueprint, Integration, LogLevel},
        name::{self, BlueprintId},
        secret::Secret,
    },
};

/// Keys of an entry that override the blueprint's.
const OVERRIDES: [&str; 11] = [
    "auth",
    "requests",
    "connect",
    "limits",
    "responses",
    "error",
    "retry",
    "paginate",
    "integration",
    "connection",
    "title",
];

/// Whether missing variables matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// They do.
    Live,
    /// In the sandbox they block nothing.
    Sandbox,
}

/// An entry of `integrations.yaml`, its overrides merged over its blueprint.
pub struct Merged {
    /// The entry with `${…}` replaced.
    pub entry: Arc<Node>,
    /// Blueprint and overrides.
    pub tree: Arc<Node>,
    /// Nearest first; of an entry without a blueprint its own id.
    pub ids: Vec<BlueprintId>,
    /// Variables that are missing.
    pub missing: Vec<Missing>,
}

/// Merges an entry over its blueprint.
pub fn merged(
    files: &Files,
    (key, node): (&Key, &Arc<Node>),
    (environment, mode): (&Environment, Mode),
    diagnostics: &mut Diagnostics,
) -> Result<Merged, Error> {
    let (mut tree, missing) = entry::interpolated(node, files.root(), environment, diagnostics);
    for missing in missing.iter().filter(|m| mode == Mode::Live && !only_signs_in(m)) {
        tell_missing(missing, Severity::Error, diagnostics);
    }
    tree = entry::without(&tree, &missing);
    let reference = tree.get("extends_blueprint");
    let (parent, ids) = match reference.and_then(|node| Some((node.as_str()?, node))) {
        Some((text, node)) => {
            let chain = chain(files, text).map_err(|error| at_place(error, Some(&node.place)))?;
            if BlueprintId::parse(text).is_none()
                && let Some(id) = chain.ids.first()
            {
                let message = format!("`{text}` names no version; the newest is used");
                let hint = format!("write `{id}`, so that a new version changes nothing by itself");
                diagnostics.push(
                    Severity::Warning,
                    "file.no-version",
                    message,
                    Some(node.place.clone()),
                    Some(hint),
                );
            }
            (Some(chain.tree), chain.ids)
        }
        None => {
            let own = BlueprintId { name: key.name.to_string(), version: 0 };
            (None, vec![own])
        }
    };
    let overrides = overrides(&tree);
    let merged = match parent {
        Some(parent) => merge(&parent, &overrides),
        None => overrides,
    };
    Ok(Merged { entry: tree, tree: merged, ids, missing })
}

/// Whether the variable is missing where it blocks sign-in and refresh, and nothing else.
pub fn only_signs_in(missing: &Missing) -> bool {
    let key = missing.pointer.first().map(String::as_str);
    matches!(key, Some("oauth_client_id" | "oauth_client_secret"))
}

/// Says that a variable is missing.
pub fn tell_missing(missing: &Missing, severity: Severity, diagnostics: &mut Diagnostics) {
    let message = match &missing.message {
        Some(message) => format!("`{}` is not set: {message}", missing.variable),
        None => format!("`{}` is not set", missing.variable),
    };
    let hint = match missing.variable.strip_prefix("file:") {
        Some(path) => format!("make the file `{path}`, or name another"),
        None => format!(
            "set it in the environment or in `.env`, or write `${{{}:-default}}`",
            missing.variable
        ),
    };
    diagnostics.push(
        severity,
        "file.missing-variable",
        message,
        Some(missing.place.clone()),
        Some(hint),
    );
}

/// The keys of an entry that a blueprint has, too.
fn overrides(entry: &Arc<Node>) -> Arc<Node> {
    let kept = entry.entries().iter().filter(|(key, _)| OVERRIDES.contains(&&*key.name));
    let entries = kept.cloned().collect();
    Arc::new(Node { kind: Kind::Map(entries), place: entry.place.clone(), origin: None })
}

/// An integration, and the tree that its blueprint was made of.
pub fn integration(
    files: &Files,
    (key, node): (&Key, &Arc<Node>),
    (environment, mode): (&Environment, Mode),
    diagnostics: &mut Diagnostics,
) -> Result<(Integration, Arc<Node>), Error> {
    if !name::is_valid(&key.name) {
        let message = format!("`{}` cannot name an integration", key.name);
        let hint =
            "use up to 64 of a–z, 0–9, `.`, `_`, `-`, beginning with a letter or digit".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-name",
            message,
            Some(key.place.clone()),
            Some(hint),
        );
    }
    let merged = merged(files, (key, node), (environment, mode), diagnostics)?;
    let Some(spec) = decode::<IntegrationSpec>(&merged.entry, diagnostics) else {
        return Err(Error::Invalid(std::mem::take(diagnostics)));
    };
    let config = spec.config.as_ref().map_or_else(|| json!({}), |raw| raw.0.to_json());
    let identity = Identity {
        id: merged
            .ids
            .first()
            .cloned()
            .unwrap_or(BlueprintId { name: key.name.to_string(), version: 0 }),
        chain: merged.ids.clone(),
        name: key.name.to_string(),
        config,
        extent: Extent::Whole,
    };
    let resolved = blueprint::blueprint(&merged.tree, identity, diagnostics);
    let Some((mut blueprint, mut config)) = resolved else {
        return Err(Error::Invalid(std::mem::take(diagnostics)));
    };
    check_config((&spec, &merged.entry), (&blueprint, mode), &mut config, diagnostics);
    if let (Some(reason), Some(named)) = (&blueprint.deprecated, &spec.extends_blueprint) {
        let message = format!("`{}` is deprecated: {reason}", blueprint.id);
        let place = Some(named.node.place.clone());
        diagnostics.push(Severity::Warning, "file.deprecated", message, place, None);
    }
    if let Some(seconds) = &spec.http_request_timeout_seconds {
        let span = std::time::Duration::from_secs(u64::from(seconds.value));
        blueprint.requests.timeout = Some(span).filter(|span| !span.is_zero());
    }
    let integration = Integration {
        name: key.name.to_string(),
        blueprint: Arc::new(blueprint),
        oauth_client_id: text_of(spec.oauth_client_id.as_ref()),
        oauth_client_secret: text_of(spec.oauth_client_secret.as_ref()).map(Secret::new),
        app_api_key: text_of(spec.app_api_key.as_ref()).map(Secret::new),
        oauth_scopes: scopes(spec.oauth_scopes.as_ref(), diagnostics),
        config,
        log_level: spec.log_level.map(level),
        actions: spec.actions,
        missing: missing_keys(&merged.missing),
    };
    if diagnostics.has_errors() {
        return Err(Error::Invalid(std::mem::take(diagnostics)));
    }
    Ok((integration, merged.tree))
}

/// A value that came from the environment is a text; the schema may want a number or a boolean.
fn check_config(
    (spec, entry): (&IntegrationSpec, &Node),
    (blueprint, mode): (&Blueprint, Mode),
    config: &mut Value,
    diagnostics: &mut Diagnostics,
) {
    let node = spec.config.as_ref().map(|raw| &raw.0);
    if let (Some(node), Some(map)) = (node, config.as_object_mut()) {
        for (key, value) in node.entries().iter().filter(|(_, node)| node.origin.is_some()) {
            let mut schemas = blueprint.config_schema.properties();
            let Some((_, schema)) = schemas.find(|(name, _)| *name == &*key.name) else { continue };
            if let (Some(text), Some(slot)) = (value.as_str(), map.get_mut(&*key.name)) {
                *slot = crate::schema::coerce(schema, text);
            }
        }
    }
    // In the sandbox nothing has to be known of the operator.
    let made_up = if mode == Mode::Sandbox { make_up(blueprint, config) } else { Vec::new() };
    // The defaults of a shipped schema fit it; an entry without `config` has nothing else.
    let document = &blueprint.config_schema.document;
    if node.is_none() && document.get("required").is_none() {
        return;
    }
    // A schema with a fault judges nobody.
    if diagnostics.list.iter().any(|told| told.code == "file.bad-schema") {
        return;
    }
    for violation in crate::schema::check(&blueprint.config_schema, config) {
        if made_up.iter().any(|name| violation.pointer == format!("/{name}")) {
            continue;
        }
        let path = violation.pointer.trim_start_matches('/').split('/').filter(|p| !p.is_empty());
        let at = path.fold(node, |node, name| node.and_then(|node| node.get(name)).or(node));
        let place = at.map_or_else(|| entry.place.clone(), |node| node.place.clone());
        let message =
            format!("`config`{} {}", violation.pointer.replace('/', "."), violation.message);
        diagnostics.push(Severity::Error, "file.bad-config", message, Some(place), violation.hint);
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

fn text_of(raw: Option<&Raw>) -> Option<String> {
    let node = &raw?.0;
    match &node.kind {
        Kind::String(text) => Some(text.to_string()).filter(|text| !text.is_empty()),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => None,
    }
}

/// A list, or one text; `''` asks for none.
fn scopes(raw: Option<&Raw>, diagnostics: &mut Diagnostics) -> Option<Vec<String>> {
    let node = &raw?.0;
    let text = |node: &Arc<Node>| node.as_str().map(str::to_owned);
    let found = match &node.kind {
        Kind::String(one) if one.is_empty() => Some(Vec::new()),
        Kind::String(one) => Some(vec![one.to_string()]),
        Kind::List(items) => items.iter().map(text).collect(),
        Kind::Null => Some(Vec::new()),
        Kind::Bool(_) | Kind::Number(_) | Kind::Map(_) => None,
    };
    if found.is_none() {
        let message = format!("expected a list of scopes, found {}", node.describe());
        diagnostics.error("file.wrong-type", message, Some(node.place.clone()));
    }
    found
}

fn level(spec: LevelSpec) -> LogLevel {
    match spec {
        LevelSpec::Error => LogLevel::Error,
        LevelSpec::Warn => LogLevel::Warn,
        LevelSpec::Info => LogLevel::Info,
        LevelSpec::Debug => LogLevel::Debug,
        LevelSpec::Trace => LogLevel::Trace,
    }
}

fn missing_keys(missing: &[Missing]) -> Vec<(String, String)> {
    let blocking = missing.iter().filter(|missing| only_signs_in(missing));
    let key =
        |missing: &Missing| Some((missing.pointer.first()?.clone(), missing.variable.clone()));
    blocking.filter_map(key).collect()
}

/// The action files of a chain of blueprints; nearer ones hide farther ones of the same name.
pub fn actions<'f>(files: &'f Files, chain: &[BlueprintId]) -> Vec<&'f Entry> {
    let mut found: Vec<&Entry> = Vec::new();
    for id in chain {
        for entry in files.folder(Top::Actions, &id.name) {
            if !found.iter().any(|known| known.stem == entry.stem) {
                found.push(entry);
            }
        }
    }
    found
}

/// `list-channels.v1` → the name and the version, if the file says one.
pub fn versioned(stem: &str) -> (&str, Option<u32>) {
    match stem.rsplit_once(".v").and_then(|(name, v)| Some((name, v.parse().ok()?))) {
        Some((name, version)) => (name, Some(version)),
        None => (stem, None),
    }
}

/// Resolves an action against a blueprint.
pub fn action(
    (entry, node): (&Entry, &Arc<Node>),
    (blueprint, tree): (&Blueprint, &Node),
    diagnostics: &mut Diagnostics,
) -> Result<Action, Error> {
    let expected = Expected { name: versioned(&entry.stem).0, folder: &entry.folder };
    match action::action(node, (blueprint, tree), &expected, diagnostics) {
        Some(action) if !diagnostics.has_errors() => Ok(action),
        Some(_) | None => Err(Error::Invalid(std::mem::take(diagnostics))),
    }
}

/// The entry of that name.
pub fn entry_of<'e>(entries: &'e Entries, name: &str) -> Option<&'e (Key, Arc<Node>)> {
    entries.list.iter().find(|(key, _)| &*key.name == name)
}
