//! `integrations.yaml`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{
    decode::{Located, Raw},
    spec::{
        blueprint::{ConnectSpec, ErrorSpec},
        common::{LimitSpec, OneOrMany, PaginateSpec, RetrySpec, RuleSpec, SchemaForm},
    },
};

/// Your use of APIs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "entries are read one by one; this is the file for the schema")]
pub struct IntegrationsSpec {
    /// One entry each; the name is yours.
    pub integrations: BTreeMap<String, IntegrationSpec>,
}

/// An integration: that you use an API, and with what settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "overrides are read as part of the blueprint they are merged with")]
pub struct IntegrationSpec {
    /// `name:vN`; without a version the newest.
    pub extends_blueprint: Option<Located<String>>,
    /// Of your app, as the vendor gave it.
    #[schemars(with = "Option<String>")]
    pub oauth_client_id: Option<Raw>,
    /// Of your app; write `${VARIABLE}`.
    #[schemars(with = "Option<String>")]
    pub oauth_client_secret: Option<Raw>,
    /// A list, or one text; `''` asks for none.
    #[schemars(with = "Option<OneOrMany<String>>")]
    pub oauth_scopes: Option<Raw>,
    /// An application-wide key, `credentials.app_api_key` in templates.
    #[schemars(with = "Option<String>")]
    pub app_api_key: Option<Raw>,
    /// By the blueprint's `integration` schema.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub config: Option<Raw>,
    /// How much is logged and recorded of this integration.
    pub log_level: Option<LevelSpec>,
    /// Of one exchange; 0 waits for ever.
    pub http_request_timeout_seconds: Option<Located<u32>>,
    /// Globs of the actions that are offered; all by default.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Overrides of the blueprint's.
    pub auth: Option<Raw>,
    /// Overrides of the blueprint's.
    pub requests: Option<Raw>,
    /// Overrides of the blueprint's.
    pub connect: Option<ConnectSpec>,
    /// Before the blueprint's; the same name replaces keys.
    #[serde(default)]
    pub limits: Vec<LimitSpec>,
    /// Before the blueprint's.
    #[serde(default)]
    pub responses: Vec<RuleSpec>,
    /// Overrides of the blueprint's.
    pub error: Option<ErrorSpec>,
    /// Overrides of the blueprint's.
    pub retry: Option<RetrySpec>,
    /// Overrides of the blueprint's.
    pub paginate: Option<PaginateSpec>,
    /// With an entry that is its own blueprint: JSON Schema of `config`.
    #[schemars(with = "Option<SchemaForm>")]
    pub integration: Option<Raw>,
    /// With an entry that is its own blueprint: JSON Schema of connection values.
    #[schemars(with = "Option<SchemaForm>")]
    pub connection: Option<Raw>,
    /// With an entry that is its own blueprint: for people.
    pub title: Option<String>,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelSpec {
    /// Failures.
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
