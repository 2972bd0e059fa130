//! `integrations.yaml`: its entries.

use std::sync::OnceLock;

use serde_json::Value;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            blueprint::{Identity, overridable},
            run_limits::run_limits,
        },
        tree::Kind,
    },
    model::{blueprint::LogLevel, run_limits::RunLimits, secret::Secret},
};

/// What an entry says of itself; what it overrides is read as part of its blueprint.
#[derive(Debug)]
pub struct Entry {
    /// `oauth_client_id`
    pub oauth_client_id: Option<String>,
    /// `oauth_client_secret`
    pub oauth_client_secret: Option<Secret>,
    /// `app_api_key`
    pub app_api_key: Option<Secret>,
    /// `oauth_scopes`
    pub oauth_scopes: Option<Vec<String>>,
    /// `config`; an object unless a fault of it was reported.
    pub config: Value,
    /// `log_level`
    pub log_level: Option<LogLevel>,
    /// `run_limits`
    pub run_limits: RunLimits,
    /// `redact`
    pub redact: Vec<String>,
    /// `http_request_timeout_seconds`; 0 waits for ever.
    pub timeout: Option<u32>,
    /// `actions`
    pub actions: Option<Vec<String>>,
}

/// An entry. What it gives is of use only if no error was found.
pub fn form() -> impl Form<Value = Entry> {
    object("Integration", "An integration: that you use an API, and with what settings.", entry)
}

/// The file.
pub fn file() -> impl Form<Value = ()> {
    object("Integrations", "Your use of APIs.", |o| {
        o.needed(key("integrations", "One entry each; the name is yours."), Map(form()));
    })
}

/// The keys of an entry that its blueprint has, too.
pub fn overrides() -> &'static [&'static str] {
    static OVERRIDES: OnceLock<Vec<&str>> = OnceLock::new();
    OVERRIDES.get_or_init(|| keys(|o| overridable(o, &Identity::nobody())))
}

fn entry(o: &mut Object<'_>) -> Entry {
    let extends = "`name:vN`; without a version the newest.";
    o.optional(key("extends_blueprint", extends).like("ms-teams:v0"), TEXT);
    let id = key("oauth_client_id", "Of your app, as the vendor gave it.");
    let secret = key("oauth_client_secret", "Of your app; write `${VARIABLE}`.");
    let app_key = "An application-wide key, `credentials.app_api_key` in templates.";
    let scopes = key("oauth_scopes", "A list, or one text; `''` asks for none.");
    let config = key("config", "By the blueprint's `integration` schema.");
    let level = key("log_level", "How much is logged and recorded of this integration.");
    let bounds = key("run_limits", "Bounds of each run; those of a call stand over them.");
    let hidden = "Names of members, parameters and headers that records show as `***`, in either \
                  case.";
    let hidden = key("redact", hidden);
    let timeout = key("http_request_timeout_seconds", "Of one exchange; 0 waits for ever.");
    let offered = key(
        "actions",
        "Patterns of the actions that are offered, `*` for any characters and `!` to take away, the last that fits decides; `[]` offers none. Without it, all.",
    );
    let entry = Entry {
        oauth_client_id: o.optional(id, SETTING).filter(|text| !text.is_empty()),
        oauth_client_secret: secret_of(o, secret),
        app_api_key: secret_of(o, key("app_api_key", app_key)),
        oauth_scopes: o.optional(scopes, OneOrMany(TEXT)).map(|all| match all.as_slice() {
            [none] if none.is_empty() => Vec::new(),
            _ => all,
        }),
        config: Value::Object(o.map(config, JSON).into_iter().collect()),
        log_level: o.optional(level, &LEVELS),
        run_limits: o.optional(bounds, run_limits()).unwrap_or_default(),
        redact: o.list(hidden, TEXT),
        timeout: o.optional(timeout, SMALL),
        actions: o.optional(offered, List(TEXT)),
    };
    o.pass(overrides(), |o| overridable(o, &Identity::nobody()));
    entry
}

fn secret_of(o: &mut Object<'_>, key: Key) -> Option<Secret> {
    o.optional(key, SETTING).filter(|text| !text.is_empty()).map(Secret::new)
}

/// A text; a number or a boolean is its own text.
const SETTING: Scalar<String> = Scalar {
    kind: Described::Template,
    read: |node| match &node.kind {
        Kind::String(text) => Ok(text.to_string()),
        Kind::Number(number) => Ok(digits(node, number)),
        Kind::Bool(value) => Ok(value.to_string()),
        Kind::Null | Kind::List(_) | Kind::Map(_) => Err(Wrong::Type),
    },
    ..TEXT
};

static LEVELS: Choices<LogLevel> = Choices {
    name: "LogLevel",
    doc: "How much is logged.",
    rows: &[
        row("error", LogLevel::Error, "Failures."),
        row("warn", LogLevel::Warn, "And what was survived."),
        row("info", LogLevel::Info, "And what was done."),
        row("debug", LogLevel::Debug, "And each attempt; bodies are recorded, capped."),
        row("trace", LogLevel::Trace, "And everything."),
    ],
};
