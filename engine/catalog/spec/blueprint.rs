//! `blueprints/<name>/vN.yaml`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{
    decode::{Located, Raw},
    spec::{
        auth::AuthSpec,
        common::{
            CodeSpec, LimitSpec, OutcomeSpec, PaginateSpec, ReplySpec, RetrySpec, RuleSpec,
            SchemaForm,
        },
        step::StepSpec,
    },
};

/// A blueprint: how an API behaves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the loader reads name and parent before anything is merged")]
pub struct BlueprintSpec {
    /// `name:vN`; the same as the file's place.
    pub blueprint: Option<Located<String>>,
    /// The parent, `name:vN`; objects merge, `null` deletes, scalars and lists replace.
    pub extends_blueprint: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// The vendor's documentation.
    pub docs_url: Option<String>,
    /// For catalogs.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Markdown: gotchas of this API.
    pub notes: Option<String>,
    /// Why not to use it any more.
    pub deprecated: Option<String>,
    /// JSON Schema of what an operator may set under `config`.
    #[schemars(with = "Option<SchemaForm>")]
    pub integration: Option<Raw>,
    /// JSON Schema of what a connection carries; `readOnly` is found by us, the rest is asked.
    #[schemars(with = "Option<SchemaForm>")]
    pub connection: Option<Raw>,
    /// How one signs in.
    pub auth: Option<Located<AuthSpec>>,
    /// Where requests go and what they carry.
    pub requests: Option<Located<RequestsSpec>>,
    /// After sign-in.
    pub connect: Option<ConnectSpec>,
    /// A request that proves freshly entered credentials.
    pub verify: Option<Located<StepSpec>>,
    /// A header that makes writes safe to repeat.
    pub idempotency: Option<IdempotencySpec>,
    /// How fast one may go.
    #[serde(default)]
    pub limits: Vec<Located<LimitSpec>>,
    /// What answers mean; first match wins.
    #[serde(default)]
    pub responses: Vec<RuleSpec>,
    /// Where error messages stand.
    pub error: Option<ErrorSpec>,
    /// How often to repeat.
    pub retry: Option<RetrySpec>,
    /// How lists are paged; a step opts in.
    pub paginate: Option<PaginateSpec>,
    /// Replies for trying it without an account.
    pub sandbox: Option<SandboxSpec>,
    /// Tests of the rules.
    #[serde(default)]
    pub tests: Vec<Located<RuleTestSpec>>,
}

/// Where requests go and what they carry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestsSpec {
    /// Joined with a step's path by plain concatenation.
    #[schemars(with = "Option<String>")]
    pub base_url: Raw,
    /// Further hosts to which credentials may go.
    #[serde(default)]
    pub hosts: Vec<Located<String>>,
    /// Header fields of every request; may use `credentials`.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub headers: Option<Raw>,
    /// Query parameters of every request; may use `credentials`.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub params: Option<Raw>,
    /// Members of every JSON body; where a key sits in the body.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub json: Option<Raw>,
    /// Fields of every form body.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub form: Option<Raw>,
    /// How lists are written in query and form; `repeat`.
    pub arrays: Option<ArraysSpec>,
    /// Of one exchange; 60s.
    pub timeout: Option<Located<String>>,
    /// Upper bound of an answer in bytes; 50 MB.
    pub max_response: Option<u64>,
}

/// How lists are written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArraysSpec {
    /// `a=1&a=2`
    Repeat,
    /// `a[]=1&a[]=2`
    Brackets,
    /// `a[0]=1&a[1]=2`
    Indices,
    /// `a=1,2`
    Comma,
}

/// After sign-in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectSpec {
    /// Steps that look things up.
    #[serde(default)]
    pub discover: Vec<Located<StepSpec>>,
    /// What of them becomes `connection.*`.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub save: Option<Raw>,
    /// Who it is.
    pub account: Option<AccountSpec>,
}

/// Who a connection belongs to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// The vendor's id.
    pub id: Option<Raw>,
    /// A name that people recognise.
    pub name: Option<Raw>,
}

/// A header that makes writes safe to repeat.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdempotencySpec {
    /// Its name.
    pub header: Located<String>,
}

/// Where error messages stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorSpec {
    /// For people.
    #[schemars(with = "Option<String>")]
    pub message: Option<Raw>,
    /// As data.
    pub detail: Option<Raw>,
}

/// Replies for trying a blueprint without an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SandboxSpec {
    /// What the account looks like.
    pub account: Option<Raw>,
    /// First fit answers.
    #[serde(default)]
    pub routes: Vec<Located<RouteSpec>>,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointSpec {
    /// The API: the rules are `responses`.
    Api,
    /// The token endpoint: the rules are `auth.token_responses`.
    TokenUrl,
}

/// A canned resource. Templates see `path`, `query`, `body`, `headers`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// GET this path; `{name}` captures a segment.
    pub get: Option<String>,
    /// POST.
    pub post: Option<String>,
    /// PUT.
    pub put: Option<String>,
    /// PATCH.
    pub patch: Option<String>,
    /// DELETE.
    pub delete: Option<String>,
    /// HEAD.
    pub head: Option<String>,
    /// Must be true for the route to fit.
    #[schemars(with = "Option<String>")]
    pub when: Option<Raw>,
    /// 200 unless said.
    pub status: Option<u16>,
    /// Header fields.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub headers: Option<Raw>,
    /// A JSON body.
    pub json: Option<Raw>,
    /// A text body.
    pub text: Option<Raw>,
    /// Cuts the list in the answer into pages of so many, by the blueprint's own pagination.
    pub pages: Option<u32>,
}

/// A test of the rules: reply in, verdict out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTestSpec {
    /// What it shows.
    pub name: Option<String>,
    /// Where it is answered; by the API.
    pub at: Option<EndpointSpec>,
    /// What is answered.
    pub reply: ReplySpec,
    /// What that must mean.
    pub is: OutcomeSpec,
    /// The code.
    pub code: Option<CodeSpec>,
    /// The wait.
    pub wait: Option<Located<String>>,
    /// The message.
    pub message: Option<String>,
}
