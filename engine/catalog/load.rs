//! One entry of `integrations.yaml` → an integration with its actions.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    catalog::{
        actions::Actions,
        base::{Base, Bases, needed},
        chain::at_place,
        config::{self, Findings},
        edges, entry,
        env::{Environment, Missing},
        error::Error,
        form::fields::{UNCERTAIN, read, read_part},
        format::{
            blueprint::{self, BEHAVIOUR, Extent, Identity, Use},
            integration, layer, placed,
        },
        loaded::{Loaded, Usable},
        tree::{Key, Node},
        variables,
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        blueprint::{Blueprint, Integration},
        name::{BlueprintId, IntegrationKey},
    },
};

/// What entries are read with.
#[derive(Clone, Copy)]
pub struct With<'a> {
    /// The blueprints.
    pub bases: &'a Bases,
    /// What `${…}` stands for.
    pub environment: &'a Environment,
}

/// Loads an entry.
pub fn load(with: With<'_>, entry: (&Key, &Arc<Node>)) -> Loaded {
    let mut found = Findings::default();
    let mut usable = usable(with, entry, &mut found);
    let Findings { mut always, live } = found;
    if let Err(Error::Invalid(more)) = &mut usable {
        always.extend(std::mem::take(more));
    }
    let mut all = live;
    let blocked = all.has_errors();
    all.extend(always.clone());
    if always.has_errors() && matches!(usable, Ok(_) | Err(Error::Invalid(_))) {
        usable = Err(Error::Invalid(always));
    }
    let blocked = blocked.then(|| Error::Invalid(all.clone()));
    Loaded::new(usable, blocked, all)
}

fn usable(
    with: With<'_>,
    (key, node): (&Key, &Arc<Node>),
    found: &mut Findings,
) -> Result<Usable, Error> {
    let name = IntegrationKey::parse(&key.name).unwrap_or_else(|bad| {
        found.always.error("file.bad-name", bad.to_string()).at(&key.place).hint(bad.rule);
        IntegrationKey::unnamed()
    });
    let given = given(with, node, found)?;
    let told = || Error::Invalid(Diagnostics::default());
    let entry = read(&given.entry, integration::form(), &mut found.always).ok_or_else(told)?;
    let used = Use { name: name.clone(), config: entry.config };
    let made = made(with, &given, used, found).ok_or_else(told)?;
    let Made { mut blueprint, mut config, actions } = made;
    let sound = given.base.as_ref().and_then(|base| base.sound().ok());
    if let (Some(sound), Some(requests)) = (sound, given.entry.get("requests")) {
        placed::entry(requests, &sound.resolved.blueprint, &mut found.always);
    }
    edges::check(&given.entry, &mut found.always);
    config::check(&given.entry, &blueprint, &mut config, found);
    let named = given.entry.get("extends_blueprint");
    if let (Some(reason), Some(named)) = (&blueprint.deprecated, named) {
        let message = format!("`{}` is deprecated: {reason}", blueprint.id);
        found.always.warning("file.deprecated", message).at(&named.place);
    }
    if let Some(seconds) = entry.timeout {
        let span = std::time::Duration::from_secs(u64::from(seconds));
        Arc::make_mut(&mut blueprint).timeout = Some(span).filter(|span| !span.is_zero());
    }
    let integration = Integration {
        name,
        redact: entry.redact.into(),
        variables: variables::of(&given.entry, &blueprint).into(),
        blueprint,
        oauth_client_id: entry.oauth_client_id,
        oauth_client_secret: entry.oauth_client_secret,
        app_api_key: entry.app_api_key,
        oauth_scopes: entry.oauth_scopes,
        config,
        log_level: entry.log_level,
        run_limits: entry.run_limits,
        actions: entry.actions,
        missing: missing_keys(&given.missing),
    };
    Ok(Usable { integration: Arc::new(integration), actions, base: given.base })
}

/// An entry as it is given: before its blueprint is looked at.
pub struct Given {
    /// With `${…}` replaced, without the places where variables are missing.
    entry: Arc<Node>,
    /// The blueprint that it extends.
    pub base: Option<Arc<Base>>,
    /// Variables that are missing.
    missing: Vec<Missing>,
    /// Whether there is nothing to extend, or not all of it, although one is named.
    is_partial: bool,
}

/// Reads an entry and finds its blueprint.
pub fn given(with: With<'_>, node: &Arc<Node>, found: &mut Findings) -> Result<Given, Error> {
    let files = &with.bases.files;
    let (tree, missing) = entry::interpolated(node, files, with.environment, &mut found.always);
    for missing in missing.iter().filter(|missing| !only_signs_in(missing)) {
        tell_missing(missing, Severity::Error, &mut found.live);
    }
    let entry = entry::without(&tree, &missing);
    let named = entry.get("extends_blueprint").and_then(|node| Some((node.as_str()?, node)));
    let Some((reference, named)) = named else {
        return Ok(Given { base: None, entry, missing, is_partial: false });
    };
    let place = Some(&named.place);
    let base = match with.bases.get(reference).map_err(|error| at_place(error, place)) {
        Ok(base) => base,
        Err(Error::Invalid(more)) => {
            found.always.extend(more);
            return Ok(Given { base: None, entry, missing, is_partial: true });
        }
        Err(error) => return Err(error),
    };
    found.always.extend(base.chain.found.clone());
    if let (None, Some(id)) = (BlueprintId::parse(reference), base.chain.ids.first()) {
        let message = format!("`{reference}` does not name a version; the newest is used");
        let hint = format!("write `{id}`, so that a new version changes nothing by itself");
        found.always.warning("file.no-version", message).at(&named.place).hint(hint);
    }
    let is_partial = base.chain.is_partial;
    Ok(Given { base: Some(base), entry, missing, is_partial })
}

impl Given {
    /// Whether the files of what it extends could be read, and say what was written.
    pub fn is_sound(&self) -> bool {
        let base = self.base.as_ref();
        !self.is_partial && base.is_none_or(|base| !base.chain.found.has_errors())
    }

    /// The blueprint's tree with the entry's overrides merged over it.
    pub fn merged(&self) -> Arc<Node> {
        match &self.base {
            Some(base) => layer::over(&base.chain.tree, &self.overrides()),
            None => self.overrides(),
        }
    }

    /// The keys of the entry that a blueprint has, too.
    fn overrides(&self) -> Arc<Node> {
        self.entry.filtered(|key| integration::overrides().contains(&key))
    }
}

/// What a blueprint came to in the use of an entry.
struct Made {
    blueprint: Arc<Blueprint>,
    config: Value,
    actions: Arc<Actions>,
}

/// The blueprint with the entry's overrides. What they do not touch is shared with every other
/// entry over it, unless they change what templates may see: then all of it is resolved anew.
fn made(with: With<'_>, given: &Given, used: Use, found: &mut Findings) -> Option<Made> {
    let overrides = given.overrides();
    let names: Vec<&str> = overrides.entries().iter().map(|(key, _)| &*key.name).collect();
    let sound = given.base.as_ref().and_then(|base| base.sound().ok());
    let adds = |(key, node): &(Key, Arc<Node>)| BEHAVIOUR.contains(&&*key.name) && !node.is_null();
    let shared = sound.filter(|sound| {
        overrides.entries().iter().all(adds) && (names.is_empty() || sound.found.is_empty())
    });
    let Some(sound) = shared else {
        let tree = needed(&given.merged());
        let own = || BlueprintId::of_entry(&used.name);
        let chain: Arc<[BlueprintId]> = match &given.base {
            Some(base) => Arc::clone(&base.chain.ids),
            None => Arc::new([own()]),
        };
        let id = chain.first().cloned().unwrap_or_else(own);
        let identity = Identity { id, chain, extent: Extent::Whole, used };
        if given.is_partial {
            read_part(&tree, blueprint::form(&identity), &UNCERTAIN, &mut found.always);
            return None;
        }
        let mut resolved = read(&tree, blueprint::form(&identity), &mut found.always)?;
        let has_sandbox = given.base.as_ref().is_some_and(|base| base.has_sandbox());
        Arc::make_mut(&mut resolved.blueprint).has_sandbox = has_sandbox;
        let blueprint = resolved.blueprint;
        let actions = Actions::new(&with.bases.files, Arc::clone(&blueprint), tree);
        return Some(Made { blueprint, config: resolved.config, actions: Arc::new(actions) });
    };
    found.always.extend(sound.found.clone());
    if names.is_empty() && !sound.rates_vary {
        let mut config = used.config;
        crate::schema::fill_defaults(&sound.resolved.blueprint.config_schema, &mut config);
        let blueprint = Arc::clone(&sound.resolved.blueprint);
        return Some(Made { blueprint, config, actions: Arc::clone(&sound.actions) });
    }
    let merged = given.merged();
    let changed = |key: &str| names.contains(&key) || (key == "limits" && sound.rates_vary);
    let tree = merged.filtered(changed);
    let (blueprint, config) = sound.resolved.changed(&tree, used, &mut found.always)?;
    let blueprint = Arc::new(blueprint);
    // What of an answer is read depends on these, too.
    let actions = if names.contains(&"responses") || names.contains(&"error") {
        Arc::new(Actions::new(&with.bases.files, Arc::clone(&blueprint), needed(&merged)))
    } else {
        Arc::clone(&sound.actions)
    };
    Some(Made { blueprint, config, actions })
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
    diagnostics.add(severity, "file.missing-variable", message).at(&missing.place).hint(hint);
}

fn missing_keys(missing: &[Missing]) -> Vec<(String, String)> {
    let blocking = missing.iter().filter(|missing| only_signs_in(missing));
    let key =
        |missing: &Missing| Some((missing.pointer.first()?.clone(), missing.variable.clone()));
    blocking.filter_map(key).collect()
}
