//! `actions/<blueprint>/<name>.yaml`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{
    decode::{Located, Raw},
    spec::{
        common::{CodeSpec, ReplySpec, SchemaForm},
        step::StepSpec,
    },
};

/// An action: what to do with an API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// The name; the same as the file's.
    pub action: Located<String>,
    /// `name:vN`, whose API it calls.
    pub blueprint: Located<String>,
    /// For people.
    pub title: Option<String>,
    /// What it does; language models read this, too.
    pub description: Option<String>,
    /// Whether it changes anything; `read`.
    pub effect: Option<EffectSpec>,
    /// Scopes that its requests need.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// JSON Schema of the input; further properties are refused unless said otherwise.
    #[schemars(with = "Option<SchemaForm>")]
    pub input: Option<Raw>,
    /// In order.
    pub steps: Vec<Located<StepSpec>>,
    /// What the caller gets.
    pub output: Option<Raw>,
    /// JSON Schema of the output.
    #[schemars(with = "Option<SchemaForm>")]
    pub returns: Option<Raw>,
    /// Bounds of one run.
    pub limits: Option<ActionLimitsSpec>,
    /// Tests of this action.
    #[serde(default)]
    pub tests: Vec<Located<ActionTestSpec>>,
}

/// Does it change anything?
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EffectSpec {
    /// Changes nothing.
    Read,
    /// Creates or changes something.
    Write,
    /// Removes something.
    Delete,
}

/// Bounds of one run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionLimitsSpec {
    /// Of the whole run, waits included.
    pub timeout: Option<Located<String>>,
    /// Attempts that a run may make.
    pub requests: Option<u64>,
}

/// A test: expected requests with replies, and what must come of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionTestSpec {
    /// What it shows.
    pub name: String,
    /// The input.
    pub input: Option<Raw>,
    /// Values of the connection.
    pub connection: Option<Raw>,
    /// Each is used once; order is free.
    #[serde(default)]
    pub http: Vec<Located<ExchangeSpec>>,
    /// What must come of it.
    pub expect: ExpectSpec,
}

/// An expected request and its reply.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeSpec {
    /// A GET of this path and query, or URL.
    pub get: Option<String>,
    /// A POST.
    pub post: Option<String>,
    /// A PUT.
    pub put: Option<String>,
    /// A PATCH.
    pub patch: Option<String>,
    /// A DELETE.
    pub delete: Option<String>,
    /// A HEAD.
    pub head: Option<String>,
    /// Compared as a subset; `$same` stands for "equal in all requests of this test".
    #[serde(default)]
    pub headers: BTreeMap<String, Raw>,
    /// The whole JSON body.
    pub json: Option<Raw>,
    /// Part of the JSON body.
    pub contains: Option<Raw>,
    /// The whole form body.
    pub form: Option<String>,
    /// The whole text body.
    pub text: Option<String>,
    /// What is answered.
    pub reply: ReplySpec,
}

/// What must come of a test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectSpec {
    /// The output; `$opaque` stands for any opaque token.
    pub output: Option<Raw>,
    /// The failure.
    pub error: Option<ExpectedErrorSpec>,
    /// The sum of the engine's waits.
    pub waited: Option<Located<String>>,
    /// `reauthorize`: the connection must be marked.
    pub connection: Option<ExpectedConnectionSpec>,
    /// Whether a maximum was reached.
    pub truncated: Option<bool>,
}

/// A failure that is expected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedErrorSpec {
    /// The code.
    pub code: ExpectedCodeSpec,
    /// The message.
    pub message: Option<String>,
    /// The detail, compared as a subset.
    pub detail: Option<Raw>,
    /// Whether it may have taken effect.
    pub maybe_executed: Option<bool>,
}

/// The codes that a test can expect: those of rules, and our own faults.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", untagged)]
pub enum ExpectedCodeSpec {
    /// A code of rules.
    Of(CodeSpec),
    /// A fault of the files.
    Own(OwnCodeSpec),
}

/// Codes of our own faults.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnCodeSpec {
    /// The output does not match `returns`.
    InvalidOutput,
    /// A template met a value that it cannot work with.
    Template,
}

/// What must have become of the connection.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedConnectionSpec {
    /// A person has to sign in again.
    Reauthorize,
}
