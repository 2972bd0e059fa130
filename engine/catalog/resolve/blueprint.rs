//! A merged tree → `Blueprint`.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    catalog::{
        decode::{Raw, decode},
        resolve::{
            auth, document, limit, requests,
            rule::rules,
            sandbox,
            shape::{header_name, pairs, shape, template},
            step::{self, Around},
            symbols::{self, Names},
        },
        spec::{
            auth::ModeSpec,
            blueprint::{BlueprintSpec, ConnectSpec},
        },
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        blueprint::{Blueprint, Connect, root},
        limit::Limit,
        name::BlueprintId,
        retry::RetryPolicy,
        rule::Rule,
        schema::Schema,
        template::{Shape, Template},
    },
    schema,
    template::{
        check,
        knowledge::{Knowledge, Presence},
    },
};

/// How much of a blueprint must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All that a request needs.
    Whole,
    /// A base may leave `requests` to the blueprints that extend it.
    Base,
}

/// Which blueprint it is, and what is known around it.
pub struct Identity {
    /// `name:vN`.
    pub id: BlueprintId,
    /// With its parents, nearest first.
    pub chain: Arc<[BlueprintId]>,
    /// How much of it must be there.
    pub extent: Extent,
    /// By what it is used.
    pub used: Use,
}

/// What is known of the use of a blueprint.
pub struct Use {
    /// `integration.name`: the entry's name, or the blueprint's.
    pub name: String,
    /// `config` as given.
    pub config: Value,
}

/// A blueprint, and what else came out on the way.
#[derive(Debug)]
pub struct Resolved {
    /// With its parents, and with the overrides of an entry if there are any.
    pub blueprint: Arc<Blueprint>,
    /// `config` with its defaults.
    pub config: Value,
    /// What it was made of.
    tree: Arc<Node>,
    /// What its templates may see.
    names: Names,
    mode: ModeSpec,
}

/// Resolves a tree whose parents and overrides are merged in.
#[expect(clippy::too_many_lines, reason = "one paragraph a key of the file")]
pub fn blueprint(
    tree: &Arc<Node>,
    identity: Identity,
    diagnostics: &mut Diagnostics,
) -> Option<Resolved> {
    let spec: BlueprintSpec = decode(tree, diagnostics)?;
    let config_schema = document::object(spec.integration.as_ref(), diagnostics);
    let connection_schema = document::object(spec.connection.as_ref(), diagnostics);
    let (credentials, tokens) = match &spec.auth {
        Some(auth) => auth::credentials(&auth.value, diagnostics),
        // What names credentials is not wrong for that.
        None => (Schema::new(Value::Bool(true)), Vec::new()),
    };
    let names = Names::new(&config_schema.document, &connection_schema.document, saved(&spec))
        .with_credentials(&credentials.document, &tokens);
    let mut config = identity.used.config;
    schema::fill_defaults(&config_schema, &mut config);
    // From here on a fault of one key hides no fault of another: each `?` waits for the end.
    let auth = match &spec.auth {
        Some(auth) => auth::auth(auth, &names, credentials, diagnostics),
        None => missing("auth", tree, diagnostics),
    };
    let mode = spec.auth.as_ref().map_or(ModeSpec::None, |auth| auth.value.auth_mode.value);
    let requests = match &spec.requests {
        Some(spec) => requests::requests(spec, (mode, &names), diagnostics),
        None if identity.extent == Extent::Base && lacks(tree, "requests") => {
            let message = "without `requests` this blueprint is only a base for others".to_owned();
            let place = Some(tree.place.clone());
            diagnostics.push(Severity::Note, "file.base", message, place, None);
            Some(requests::nowhere())
        }
        None => missing("requests", tree, diagnostics),
    };
    let integration = root(&identity.used.name, &config);
    let behaviour = behaviour(&spec, &names, &integration, diagnostics);
    let paginate_tree = tree.get("paginate");
    let paginate = match (&spec.paginate, paginate_tree) {
        (Some(spec), Some(node)) => limit::paginate(spec, (node, &names), diagnostics).map(Some),
        _ => Some(None),
    };
    // These steps run as an action's do: the request carries the credentials, no step names them.
    let base = names.base();
    let around = Around { names: &names, symbols: &base, paginate: paginate_tree };
    let verify = match spec.verify {
        Some(mut spec) => {
            spec.value.id.get_or_insert_with(|| crate::catalog::decode::Located {
                value: "verify".to_owned(),
                node: Arc::clone(&spec.node),
            });
            step::step(spec, &around, diagnostics).map(Some)
        }
        None => Some(None),
    };
    let connect = connect(spec.connect, &around, diagnostics);
    let sandbox = match spec.sandbox {
        Some(spec) => sandbox::sandbox(spec, diagnostics).map(Some),
        None => Some(None),
    };
    let tests =
        spec.tests.into_iter().filter_map(|test| sandbox::rule_test(test, diagnostics)).collect();
    let idempotency = spec.idempotency;
    let idempotency_header = idempotency.and_then(|spec| header_name(&spec.header, diagnostics));
    let Behaviour { limits, rules, error_message, error_detail, retry } = behaviour;
    let (requests, timeout) = requests?;
    let blueprint = Blueprint {
        title: spec.title.unwrap_or_else(|| identity.id.name.clone()),
        id: identity.id,
        chain: identity.chain,
        docs_url: spec.docs_url,
        categories: spec.categories.into(),
        notes: spec.notes.map(Arc::from),
        deprecated: spec.deprecated,
        config_schema,
        connection_schema,
        auth: Arc::new(auth?),
        requests: Arc::new(requests),
        timeout,
        connect: Arc::new(connect?),
        verify: verify?.map(Arc::new),
        idempotency_header,
        limits: limits.into_iter().map(Arc::new).collect(),
        rules: rules.into_iter().map(Arc::new).collect(),
        error_message: error_message.map(Arc::new),
        error_detail: error_detail.map(Arc::new),
        retry,
        paginate: paginate?.map(Arc::new),
        has_sandbox: !lacks(tree, "sandbox"),
        sandbox: sandbox?.map(Arc::new),
        tests,
    };
    let tree = Arc::clone(tree);
    Some(Resolved { blueprint: Arc::new(blueprint), config, tree, names, mode })
}

/// What an entry may change without changing what templates see.
pub const BEHAVIOUR: [&str; 6] = ["title", "requests", "limits", "responses", "error", "retry"];

/// What stands at the keys of [`BEHAVIOUR`], as far as they are there; but for `requests` and `title`.
struct Behaviour {
    limits: Vec<Limit>,
    rules: Vec<Rule>,
    error_message: Option<Template>,
    error_detail: Option<Shape>,
    retry: RetryPolicy,
}

fn behaviour(
    spec: &BlueprintSpec,
    names: &Names,
    integration: &Value,
    diagnostics: &mut Diagnostics,
) -> Behaviour {
    let limits = limit::limits(&spec.limits, names, integration, diagnostics);
    let rules = rules(&spec.responses, &names.answer(), diagnostics);
    let lenient = names.answer().lenient();
    let error = spec.error.as_ref();
    let message = error.and_then(|error| error.message.as_ref());
    let error_message =
        message.and_then(|raw| template(&raw.0, &lenient, check::Use::Text, diagnostics));
    let detail = error.and_then(|error| error.detail.as_ref());
    let error_detail = detail.and_then(|raw| shape(&raw.0, &lenient, diagnostics));
    let retry = limit::retry(spec.retry.as_ref(), diagnostics);
    Behaviour { limits, rules, error_message, error_detail, retry }
}

impl Resolved {
    /// The same blueprint in another use. `tree` has those keys of [`BEHAVIOUR`] that are not as
    /// they are here; all else is shared, and of the limits and rules all that `tree` has from
    /// here.
    pub fn changed(
        &self,
        tree: &Arc<Node>,
        used: Use,
        diagnostics: &mut Diagnostics,
    ) -> Option<(Blueprint, Value)> {
        let limits = Inherited::new(tree, &self.tree, "limits");
        let rules = Inherited::new(tree, &self.tree, "responses");
        let own = limits.leave_out(&rules.leave_out(tree));
        let spec: BlueprintSpec = decode(&own, diagnostics)?;
        let mut config = used.config;
        schema::fill_defaults(&self.blueprint.config_schema, &mut config);
        let integration = root(&used.name, &config);
        let mut blueprint = Blueprint::clone(&self.blueprint);
        if let Some(spec) = &spec.requests {
            let requests = requests::requests(spec, (self.mode, &self.names), diagnostics);
            let (requests, timeout) = requests?;
            (blueprint.requests, blueprint.timeout) = (Arc::new(requests), timeout);
        }
        let new = behaviour(&spec, &self.names, &integration, diagnostics);
        if tree.get("limits").is_some() {
            blueprint.limits = limits.join(new.limits, &self.blueprint.limits);
        }
        if tree.get("responses").is_some() {
            blueprint.rules = rules.join(new.rules, &self.blueprint.rules);
        }
        if tree.get("error").is_some() {
            blueprint.error_message = new.error_message.map(Arc::new);
            blueprint.error_detail = new.error_detail.map(Arc::new);
        }
        if tree.get("retry").is_some() {
            blueprint.retry = new.retry;
        }
        blueprint.title = spec.title.unwrap_or(blueprint.title);
        Some((blueprint, config))
    }
}

/// Which elements of a list are those of the list that it was merged over.
struct Inherited {
    key: &'static str,
    /// Of each element, its position there.
    positions: Vec<Option<usize>>,
}

impl Inherited {
    fn new(tree: &Node, parent: &Node, key: &'static str) -> Self {
        let of = |tree: &Node| tree.get(key).map(|list| list.items().to_vec()).unwrap_or_default();
        let old = of(parent);
        // What a setting decides is another in each use.
        let varies = |node: &Node| {
            let rate = node.get("rate").and_then(|rate| rate.as_str());
            rate.is_some_and(|rate| rate.contains("{{"))
        };
        let position = |node: &Arc<Node>| {
            old.iter().position(|other| Arc::ptr_eq(other, node)).filter(|_| !varies(node))
        };
        Self { key, positions: of(tree).iter().map(position).collect() }
    }

    /// The tree without these elements.
    fn leave_out(&self, tree: &Arc<Node>) -> Arc<Node> {
        let own = |list: &Arc<Node>| {
            let items = list.items().iter().zip(&self.positions);
            let own = items.filter(|(_, position)| position.is_none());
            let kind = Kind::List(own.map(|(node, _)| Arc::clone(node)).collect());
            Arc::new(Node { kind, place: list.place.clone(), origin: None })
        };
        let entries = tree.entries().iter().map(|(key, node)| {
            let is_list = *key.name == *self.key && matches!(node.kind, Kind::List(_));
            (key.clone(), if is_list { own(node) } else { Arc::clone(node) })
        });
        let kind = Kind::Map(entries.collect());
        Arc::new(Node { kind, place: tree.place.clone(), origin: None })
    }

    /// What became of all elements, in their order.
    fn join<T>(&self, own: Vec<T>, parent: &[Arc<T>]) -> Arc<[Arc<T>]> {
        let mut own = own.into_iter().map(Arc::new);
        let all = self.positions.iter().filter_map(|position| match position {
            Some(position) => parent.get(*position).map(Arc::clone),
            None => own.next(),
        });
        all.collect()
    }
}

fn lacks(tree: &Node, key: &str) -> bool {
    tree.get(key).is_none_or(|node| node.is_null())
}

fn missing<T>(key: &str, tree: &Node, diagnostics: &mut Diagnostics) -> Option<T> {
    // What is there and has a fault has been told.
    if lacks(tree, key) {
        let message = format!("a blueprint without a parent needs `{key}`");
        diagnostics.error("file.missing-key", message, Some(tree.place.clone()));
    }
    None
}

/// Names that `auth.save` and `connect.save` put on the connection.
fn saved(spec: &BlueprintSpec) -> impl Iterator<Item = &str> {
    let auth = spec.auth.as_ref().and_then(|auth| auth.value.save.as_ref());
    let connect = spec.connect.as_ref().and_then(|connect| connect.save.as_ref());
    let entries = [auth, connect].into_iter().flatten().flat_map(|raw| raw.0.entries());
    entries.map(|(key, _)| &*key.name)
}

fn connect(
    spec: Option<ConnectSpec>,
    around: &Around<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Connect> {
    let Some(spec) = spec else { return Some(Connect::default()) };
    let mut members = Vec::new();
    let mut discover = Vec::new();
    for spec in spec.discover {
        let known = Knowledge::Record { members: members.clone(), open: false };
        let symbols = around.symbols.clone().with("steps", known, Presence::Always);
        let inner = Around { symbols: &symbols, ..*around };
        let step = step::step(spec, &inner, diagnostics)?;
        let record = symbols::step_record(step.each.is_some(), step.paginate.is_some());
        members.push(symbols::member(&step.id, record));
        discover.push(step);
    }
    let known = Knowledge::Record { members, open: false };
    let symbols = around.names.secret().with("steps", known, Presence::Always).lenient();
    let mut optional = |raw: Option<&Raw>| match raw {
        Some(raw) => shape(&raw.0, &symbols, diagnostics).map(Some),
        None => Some(None),
    };
    let account = spec.account.as_ref();
    let account_id = optional(account.and_then(|account| account.id.as_ref()))?;
    let account_name = optional(account.and_then(|account| account.name.as_ref()))?;
    let save = pairs(spec.save.as_ref().map(|raw| &raw.0), &symbols, diagnostics);
    Some(Connect { discover, save, account_id, account_name })
}
