//! `blueprints/<name>/vN.yaml`, with its parents and an entry's overrides merged in.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    catalog::{
        form::{fields::read, prelude::*},
        format::{
            auth::{Signed, auth, saved},
            connect::connect,
            document::{OBJECT_SCHEMA, nothing},
            inherited::Inherited,
            limit::{Settings, circuit, limit, retry},
            paginate::{InStep, paginate},
            placed,
            requests::{Timed, nowhere, requests},
            rule::rule,
            sandbox,
            step::{STEP, STEP_DOC, step},
            symbols::Names,
            test::rule_test,
            text::{json, text},
        },
        tree::Node,
    },
    diagnostic::Diagnostics,
    model::{
        auth::{Auth, AuthMode},
        blueprint::{Blueprint, Connect, root},
        limit::Limit,
        name::{BlueprintId, IntegrationKey},
        retry::{CircuitPolicy, RetryPolicy},
        rule::Rule,
        schema::Schema,
        template::{Shape, Template},
    },
    schema,
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

impl Identity {
    /// Of no blueprint, where only the keys are of interest.
    pub fn nobody() -> Self {
        let used = Use { name: IntegrationKey::unnamed(), config: Value::Null };
        let id = BlueprintId::of_entry(&used.name);
        Self { id, chain: Arc::default(), extent: Extent::Base, used }
    }
}

/// What is known of the use of a blueprint.
pub struct Use {
    /// `integration.name`: the entry's name, or the blueprint's.
    pub name: IntegrationKey,
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
    /// What it was made of; `None` where the format is described.
    tree: Option<Arc<Node>>,
    signed: Signed,
}

/// A tree whose parents and overrides are merged in. What it gives is of use only if no error was
/// found.
pub fn form(identity: &Identity) -> impl Form<Value = Resolved> {
    object(BLUEPRINT, "A blueprint: how an API behaves.", |o| file(o, identity))
}

const BLUEPRINT: &str = "Blueprint";

fn file(o: &mut Object<'_>, identity: &Identity) -> Resolved {
    let name = "`name:vN`; the same as the file's place.";
    o.optional(key("blueprint", name).like("ms-teams:v0"), TEXT);
    let parent = "The parent, `name:vN`; objects merge, `null` deletes, scalars and lists replace.";
    o.optional(key("extends_blueprint", parent).like("microsoft-graph:v0"), TEXT);
    let Overridable { blueprint, config, signed } = overridable(o, identity);
    let around = around(o, &signed.names);
    let verify = key("verify", "A request that proves freshly entered credentials.");
    let proof = object(STEP, STEP_DOC, |o| step(o, around, Some("verify")));
    let safe = "A header that makes writes safe to repeat.";
    let header = object("Idempotency", safe, |o| {
        o.needed(key("header", "Its name.").like("idempotency-key"), HEADER)
    });
    let replies = key("sandbox", "Replies for trying it without an account.");
    let blueprint = Blueprint {
        docs_url: o.optional(key("docs_url", "The vendor's documentation."), TEXT),
        categories: o.list(key("categories", "For catalogs."), TEXT).into(),
        notes: o.optional(key("notes", "Markdown: gotchas of this API."), TEXT).map(Arc::from),
        deprecated: o.optional(key("deprecated", "Why not to use it any more."), TEXT),
        verify: o.optional(verify, proof).map(Arc::new),
        idempotency_header: o.optional(key("idempotency", safe), header),
        has_sandbox: o.raw("sandbox").is_some(),
        sandbox: o.optional(replies, sandbox::form()).map(Arc::new),
        tests: o.list(key("tests", "Tests of the rules."), rule_test()),
        ..blueprint
    };
    let discover = o.raw("connect").and_then(|connect| connect.get("discover"));
    let steps = o.raw("verify").into_iter().chain(discover.into_iter().flat_map(|d| d.items()));
    for step in steps {
        placed::step(step, &blueprint, o.found());
    }
    Resolved { blueprint: Arc::new(blueprint), config, tree: o.node().cloned(), signed }
}

/// What an entry of `integrations.yaml` can override, and the rest of the blueprint empty.
pub struct Overridable {
    blueprint: Blueprint,
    config: Value,
    signed: Signed,
}

/// The keys that an entry of `integrations.yaml` can have, too.
pub fn overridable(o: &mut Object<'_>, identity: &Identity) -> Overridable {
    let title = title(o);
    let config_schema = config_schema(o);
    let connection_schema = connection_schema(o);
    let saved = o.node().into_iter().flat_map(|tree| saved(tree));
    let names = Names::new(&config_schema.document, &connection_schema.document, saved);
    let mut config = identity.used.config.clone();
    schema::fill_defaults(&config_schema, &mut config);
    let integration = root(&identity.used.name, &config);
    let (auth, signed) = sign_in(o, &names);
    let (requests, timeout) = where_to(o, &signed, identity.extent);
    let names = &signed.names;
    let behaviour = behaviour(o, names, &integration);
    let pages = object("Paginate", "How an API hands out long lists.", |o| paginate(o, names));
    let around = around(o, names);
    let blueprint = Blueprint {
        id: identity.id.clone(),
        chain: Arc::clone(&identity.chain),
        title: title.unwrap_or_else(|| identity.id.name().to_owned()),
        docs_url: None,
        categories: Arc::default(),
        notes: None,
        deprecated: None,
        config_schema,
        connection_schema,
        auth: Arc::new(auth),
        requests: Arc::new(requests),
        timeout,
        connect: Arc::new(after_sign_in(o, around)),
        verify: None,
        idempotency_header: None,
        limits: behaviour.limits.into_iter().map(Arc::new).collect(),
        rules: behaviour.rules.into_iter().map(Arc::new).collect(),
        error_message: behaviour.error_message.map(Arc::new),
        error_detail: behaviour.error_detail.map(Arc::new),
        retry: behaviour.retry,
        circuit: behaviour.circuit,
        paginate: o
            .optional(key("paginate", "How lists are paged; a step opts in."), pages)
            .map(Arc::new),
        has_sandbox: false,
        sandbox: None,
        tests: Vec::new(),
    };
    Overridable { blueprint, config, signed }
}

/// What an entry may change without changing what templates see.
pub const BEHAVIOUR: [&str; 7] =
    ["title", "requests", "limits", "responses", "error", "retry", "circuit"];

/// What stands at the keys of [`BEHAVIOUR`], but for `requests` and `title`.
struct Behaviour {
    limits: Vec<Limit>,
    rules: Vec<Rule>,
    error_message: Option<Template>,
    error_detail: Option<Shape>,
    retry: RetryPolicy,
    circuit: CircuitPolicy,
}

fn behaviour(o: &mut Object<'_>, names: &Names, integration: &Value) -> Behaviour {
    let (error_message, error_detail) = error(o, names);
    let repeats = "How often to repeat.";
    let closes = "When a host that fails is not asked for a while.";
    let rules = key("responses", "What answers mean; first match wins.");
    let limits = limit(Settings { names, integration });
    Behaviour {
        limits: o.list(key("limits", "How fast one may go."), limits),
        rules: o.list(rules, rule(&names.answer())),
        retry: o.or_empty(key("retry", repeats), object("Retry", repeats, retry)),
        circuit: o.or_empty(key("circuit", closes), object("Circuit", closes, circuit)),
        error_message,
        error_detail,
    }
}

impl Resolved {
    /// The same blueprint in another use. `tree` has those keys of [`BEHAVIOUR`] that are not as
    /// they are here; all else is shared, and of the limits and rules all that `tree` has from
    /// here.
    pub fn changed(
        &self,
        tree: &Arc<Node>,
        used: Use,
        found: &mut Diagnostics,
    ) -> Option<(Blueprint, Value)> {
        let limits = Inherited::new(tree, self.tree.as_deref(), "limits");
        let rules = Inherited::new(tree, self.tree.as_deref(), "responses");
        let own = limits.leave_out(&rules.leave_out(tree));
        let mut config = used.config;
        schema::fill_defaults(&self.blueprint.config_schema, &mut config);
        let integration = root(&used.name, &config);
        let changes = object(BLUEPRINT, "", |o| {
            let mut blueprint = Blueprint::clone(&self.blueprint);
            if let Some(title) = title(o) {
                blueprint.title = title;
            }
            if let Some((requests, timeout)) = requests_of(o, &self.signed) {
                (blueprint.requests, blueprint.timeout) = (Arc::new(requests), timeout);
            }
            let new = behaviour(o, &self.signed.names, &integration);
            if o.raw("limits").is_some() {
                blueprint.limits = limits.join(new.limits, &self.blueprint.limits);
            }
            if o.raw("responses").is_some() {
                blueprint.rules = rules.join(new.rules, &self.blueprint.rules);
            }
            if o.raw("error").is_some() {
                blueprint.error_message = new.error_message.map(Arc::new);
                blueprint.error_detail = new.error_detail.map(Arc::new);
            }
            if o.raw("retry").is_some() {
                blueprint.retry = new.retry;
            }
            if o.raw("circuit").is_some() {
                blueprint.circuit = new.circuit;
            }
            blueprint
        });
        read(&own, changes, found).map(|blueprint| (blueprint, config))
    }
}

/// Steps of a blueprint run as an action's do: the request carries the credentials, no step names
/// them.
fn around<'a>(o: &Object<'a>, names: &'a Names) -> InStep<'a> {
    InStep { names, symbols: names.base(), paginate: o.raw("paginate") }
}

fn title(o: &mut Object<'_>) -> Option<String> {
    o.optional(key("title", "For people."), TEXT)
}

fn config_schema(o: &mut Object<'_>) -> Schema {
    let config = "JSON Schema of what an operator may set under `config`.";
    o.optional(key("integration", config), OBJECT_SCHEMA).unwrap_or_else(nothing)
}

fn connection_schema(o: &mut Object<'_>) -> Schema {
    let carried = "JSON Schema of what a connection carries; `readOnly` is found by us, the rest \
                   is asked.";
    o.optional(key("connection", carried), OBJECT_SCHEMA).unwrap_or_else(nothing)
}

fn sign_in(o: &mut Object<'_>, names: &Names) -> (Auth, Signed) {
    let how = "How one signs in.";
    let given = o.optional(key("auth", how), object("Auth", how, |o| auth(o, names)));
    if given.is_none() && o.raw("auth").is_none() {
        o.error("file.missing-key", "a blueprint without a parent needs `auth`");
    }
    // What names credentials is not wrong for that.
    given.unwrap_or_else(|| {
        let credentials = Schema::new(Value::Bool(true));
        let names = names.clone().with_credentials(&credentials.document, &[]);
        let auth = Auth { mode: AuthMode::None, credentials };
        (auth, Signed { names, bears_token: false, signs: false })
    })
}

fn requests_of(o: &mut Object<'_>, signed: &Signed) -> Option<Timed> {
    let carry = "Where requests go and what they carry.";
    o.optional(key("requests", carry), object("Requests", carry, |o| requests(o, signed)))
}

fn where_to(o: &mut Object<'_>, signed: &Signed, extent: Extent) -> Timed {
    let given = requests_of(o, signed);
    if given.is_none() && o.raw("requests").is_none() {
        if extent == Extent::Base {
            let message = "without `requests` this blueprint is only a base for others";
            o.note("file.base", message);
        } else {
            o.error("file.missing-key", "a blueprint without a parent needs `requests`");
        }
    }
    given.unwrap_or_else(nowhere)
}

fn error(o: &mut Object<'_>, names: &Names) -> (Option<Template>, Option<Shape>) {
    let stand = "Where error messages stand.";
    let lenient = names.answer().lenient();
    let error = object("Error", stand, |o| {
        let message = o.optional(key("message", "For people."), text(&lenient));
        (message, o.optional(key("detail", "As data."), json(&lenient)))
    });
    o.or_empty(key("error", stand), error)
}

fn after_sign_in(o: &mut Object<'_>, around: InStep<'_>) -> Connect {
    let form = object("Connect", "After sign-in.", |o| connect(o, around));
    o.or_empty(key("connect", "After sign-in."), form)
}
