//! `Blueprint`: how an API behaves; and `Integration`: that we use it.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::model::{
    action::Step,
    auth::{Auth, AuthMode},
    http::{AUTHORIZATION, HeaderName},
    limit::Limit,
    name::{BlueprintId, IntegrationKey},
    pagination::Pagination,
    proxy::Route,
    retry::{CircuitPolicy, RetryPolicy},
    rule::{Outcome, Rule},
    run_limits::RunLimits,
    sandbox::Sandbox,
    schema::Schema,
    secret::Secret,
    template::{Shape, Template},
};

/// A blueprint with its parents merged in; as part of an [`Integration`] with the entry's
/// overrides too, and with `config` known. What the entry does not change, it shares with all
/// others over the same blueprint.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// `name:vN`.
    pub id: BlueprintId,
    /// This one and its parents, nearest first: actions are looked up along it.
    pub chain: Arc<[BlueprintId]>,
    /// For people.
    pub title: String,
    /// The vendor's documentation.
    pub docs_url: Option<String>,
    /// For catalogs.
    pub categories: Arc<[String]>,
    /// Markdown: gotchas.
    pub notes: Option<Arc<str>>,
    /// Why not to use it any more.
    pub deprecated: Option<String>,
    /// `integration:` what an operator may set under `config`.
    pub config_schema: Schema,
    /// `connection:` what a connection carries. `readOnly`: found by us; the rest is asked.
    pub connection_schema: Schema,
    /// How one signs in.
    pub auth: Arc<Auth>,
    /// Where requests go and what they carry.
    pub requests: Arc<Requests>,
    /// Of one exchange; `None` waits for ever.
    pub timeout: Option<Duration>,
    /// After sign-in.
    pub connect: Arc<Connect>,
    /// A step that proves freshly entered credentials.
    pub verify: Option<Arc<Step>>,
    /// `idempotency.header`
    pub idempotency_header: Option<HeaderName>,
    /// Child's first.
    pub limits: Arc<[Arc<Limit>]>,
    /// Child's first; the built-in ones come after all of them.
    pub rules: Arc<[Arc<Rule>]>,
    /// `error.message`.
    pub error_message: Option<Arc<Template>>,
    /// `error.detail`.
    pub error_detail: Option<Arc<Shape>>,
    /// How often to repeat.
    pub retry: RetryPolicy,
    /// When a host is not asked for a while.
    pub circuit: CircuitPolicy,
    /// The default of `paginate: true`.
    pub paginate: Option<Arc<Pagination>>,
    /// Whether there is a sandbox.
    pub has_sandbox: bool,
    /// Its canned replies; `None` where nothing is played, because they are read only for that.
    pub sandbox: Option<Arc<Sandbox>>,
    /// `tests:` of the rules.
    pub tests: Vec<RuleTest>,
}

impl Blueprint {
    /// Whether credentials stand in this header of every request, so that nothing else sets it.
    pub fn signs_in_header(&self, name: &HeaderName) -> bool {
        let signed = *name == AUTHORIZATION
            && matches!(
                self.auth.mode,
                AuthMode::Basic { .. } | AuthMode::OAuth1(_) | AuthMode::AwsSigv4(_)
            );
        let mut fields = self.requests.headers.iter();
        signed || fields.any(|(field, template)| field == name && template.is_secret())
    }

    /// Whether credentials stand in this parameter of every query.
    pub fn signs_in_query(&self, name: &str) -> bool {
        self.requests.params.iter().any(|(param, shape)| param == name && shape.is_secret())
    }
}

/// `requests:` of a blueprint.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Without a trailing slash; template over `integration`, `connection`, `credentials`.
    pub base_url: Template,
    /// Further hosts that may see credentials, lower case; `*.example.com` is any depth below.
    pub hosts: Vec<String>,
    /// Hosts to which reads may be redirected, without credentials; `*` is any.
    pub open_hosts: Vec<String>,
    /// Lower-case name and template; may use `credentials`. For token modes and BASIC the
    /// `authorization` header stands here even if the file does not say it.
    pub headers: Vec<(HeaderName, Template)>,
    /// Query parameters of every request; may use `credentials`.
    pub params: Vec<(String, Shape)>,
    /// Members of every JSON body; may use `credentials`.
    pub json: Vec<(String, Shape)>,
    /// Fields of every form body; may use `credentials`.
    pub form: Vec<(String, Shape)>,
    /// How lists are written in query and form.
    pub arrays: Arrays,
    /// Upper bound of a decoded answer, in bytes.
    pub max_response: u64,
    /// The way to the API, unless that of the settings is right.
    pub route: Option<Route>,
}

/// `requests.arrays`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrays {
    /// `a=1&a=2`
    #[default]
    Repeat,
    /// `a[]=1&a[]=2`
    Brackets,
    /// `a[0]=1&a[1]=2`
    Indices,
    /// `a=1,2`
    Comma,
}

/// `connect:` of a blueprint.
#[derive(Debug, Clone, Default)]
pub struct Connect {
    /// Steps after sign-in.
    pub discover: Vec<Step>,
    /// What of them becomes `connection.*`.
    pub save: Vec<(String, Shape)>,
    /// `account.id`
    pub account_id: Option<Shape>,
    /// `account.name`
    pub account_name: Option<Shape>,
}

/// One of a blueprint's `tests`: reply in, verdict out. A part that is `None` is not compared.
#[derive(Debug, Clone)]
pub struct RuleTest {
    /// 1-based line in its file, for the report.
    pub line: usize,
    /// What it shows.
    pub name: Option<String>,
    /// `at: token_url`: the rules of the token endpoint are meant.
    pub at_token_url: bool,
    /// What is answered.
    pub reply: crate::model::test::Reply,
    /// What the rules must say; `wait` and `message` only if the file gives them.
    pub expect: ExpectedOutcome,
}

/// The expectation of a [`RuleTest`].
#[derive(Debug, Clone)]
pub struct ExpectedOutcome {
    /// `is`
    pub is: crate::model::rule::OutcomeKind,
    /// `code`
    pub code: Option<crate::model::failure::Code>,
    /// `wait`
    pub wait: Option<Duration>,
    /// `message`
    pub message: Option<String>,
}

impl ExpectedOutcome {
    /// Whether `found` is what was expected.
    pub fn fits(&self, found: &Outcome) -> bool {
        self.is == found.kind
            && self.code.is_none_or(|code| code == found.code)
            && self.wait.is_none_or(|wait| Some(wait) == found.wait)
            && self.message.as_ref().is_none_or(|message| *message == found.message)
    }
}

/// An entry of `integrations.yaml`: our use of a blueprint.
#[derive(Debug, Clone)]
pub struct Integration {
    /// The entry's key.
    pub name: IntegrationKey,
    /// The blueprint with this entry's overrides merged in.
    pub blueprint: Arc<Blueprint>,
    /// `oauth_client_id`; `None` if absent, or its variable is missing.
    pub oauth_client_id: Option<String>,
    /// `oauth_client_secret`; `None` if absent, or its variable is missing.
    pub oauth_client_secret: Option<Secret>,
    /// `app_api_key`, `credentials.app_api_key` in templates.
    pub app_api_key: Option<Secret>,
    /// `oauth_scopes`; `None` if not given: then the blueprint's defaults.
    pub oauth_scopes: Option<Vec<String>>,
    /// Validated against the blueprint's schema, defaults filled in.
    pub config: Value,
    /// `log_level`
    pub log_level: Option<LogLevel>,
    /// `run_limits`
    pub run_limits: RunLimits,
    /// `redact`: names of members, parameters and headers that are never recorded.
    pub redact: Arc<[String]>,
    /// What stands in the entry for variables of the environment, and for files.
    pub variables: Arc<[Variable]>,
    /// `actions`: patterns over names, of which the last that fits decides; `None` offers all of
    /// the blueprint.
    pub actions: Option<Vec<String>>,
    /// Variables of the oauth_ keys that are missing: `(field, variable)`. They block sign-in and
    /// refresh, nothing else.
    pub missing: Vec<(String, String)>,
}

/// What a `${…}` of an entry stood for, unless that is no secret: a part of the base URL, a client id,
/// a number, or one of some words.
#[derive(Debug, Clone)]
pub struct Variable {
    /// As it is written, which may be shown: `${NAME}`, `${file:PATH}`.
    pub written: String,
    /// Its value.
    pub value: Secret,
}

impl Integration {
    /// The root `integration` of templates.
    pub fn root(&self) -> Value {
        root(&self.name, &self.config)
    }
}

/// The root `integration` of templates: `name`, `config`, and the members of `config` by their own
/// names.
pub fn root(name: &str, config: &Value) -> Value {
    let mut map = config.as_object().cloned().unwrap_or_default();
    map.insert("name".to_owned(), name.into());
    map.insert("config".to_owned(), config.clone());
    Value::Object(map)
}

/// `log_level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Failures of runs.
    Error,
    /// And what was survived.
    Warn,
    /// And what was done.
    Info,
    /// And each attempt; bodies are recorded, capped.
    Debug,
    /// And everything.
    Trace,
}
