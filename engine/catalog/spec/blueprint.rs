//! `blueprints/<name>/vN.yaml`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{
    decode::{Located, Raw},
    spec::{
        common::{
            CodeSpec, LimitSpec, OutcomeSpec, PaginateSpec, ReplySpec, RetrySpec, RuleSpec,
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
    pub integration: Option<Raw>,
    /// JSON Schema of what a connection carries; `readOnly` is found by us, the rest is asked.
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

/// How one signs in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthSpec {
    /// The mode.
    pub auth_mode: Located<ModeSpec>,
    /// JSON Schema of what the user enters; `writeOnly` is secret.
    pub credentials: Option<Raw>,
    /// BASIC: `{{credentials.username}}` by default.
    pub username: Option<Raw>,
    /// BASIC: `{{credentials.password}}` by default.
    pub password: Option<Raw>,
    /// OAUTH2: where the browser goes.
    pub authorization_url: Option<Raw>,
    /// OAUTH2: further parameters of that URL.
    pub authorization_params: Option<Raw>,
    /// OAUTH2: where codes become tokens.
    pub token_url: Option<Raw>,
    /// OAUTH2: further parameters of token requests.
    pub token_params: Option<Raw>,
    /// OAUTH2: further headers of token requests.
    pub token_headers: Option<Raw>,
    /// OAUTH2: where refresh tokens become tokens; `token_url` by default.
    pub refresh_url: Option<Raw>,
    /// OAUTH2: further parameters of refresh requests; `token_params` by default.
    pub refresh_params: Option<Raw>,
    /// OAUTH2: asked for when the integration names none.
    #[serde(default)]
    pub default_scopes: Vec<String>,
    /// OAUTH2: between scopes; a space.
    pub scope_separator: Option<String>,
    /// OAUTH2: PKCE with S256; on by default.
    pub pkce: Option<bool>,
    /// OAUTH2: where the client shows who it is; `body`.
    pub authorization_method: Option<ClientAuthSpec>,
    /// OAUTH2: how token requests are written; `form`.
    pub body_format: Option<FormatSpec>,
    /// OAUTH2: lifetime of tokens whose answer does not say.
    pub expires_in: Option<Located<String>>,
    /// OAUTH2: rules of the token endpoint.
    #[serde(default)]
    pub token_responses: Vec<RuleSpec>,
    /// OAUTH2: values of the token answer to keep on the connection.
    pub save: Option<Raw>,
}

/// Ways to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ModeSpec {
    /// OAuth 2, authorization code.
    #[serde(rename = "OAUTH2")]
    OAuth2,
    /// OAuth 2, client credentials.
    #[serde(rename = "OAUTH2_CC")]
    OAuth2Cc,
    /// OAuth 1.
    #[serde(rename = "OAUTH1")]
    OAuth1,
    /// A key, placed by `requests.headers` or `requests.params`.
    ApiKey,
    /// HTTP Basic.
    Basic,
    /// The same as `BASIC`.
    UsernamePassword,
    /// One or several requests that yield a session.
    TwoStep,
    /// A token that we sign.
    Jwt,
    /// A signed app that gets installation tokens.
    App,
    /// AWS Signature Version 4.
    #[serde(rename = "AWS_SIGV4")]
    AwsSigv4,
    /// A signature over the request.
    Signature,
    /// Nothing.
    None,
}

/// Where a client shows who it is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthSpec {
    /// As parameters.
    Body,
    /// As HTTP Basic, form-encoded first (RFC 6749, section 2.3.1).
    Header,
    /// The same as `header`.
    Basic,
    /// As HTTP Basic, without that encoding.
    BasicRaw,
    /// The id alone.
    None,
}

/// How token requests are written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatSpec {
    /// As a form.
    Form,
    /// As JSON.
    Json,
    /// In the query.
    Query,
}

/// Where requests go and what they carry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestsSpec {
    /// Joined with a step's path by plain concatenation.
    pub base_url: Raw,
    /// Further hosts to which credentials may go.
    #[serde(default)]
    pub hosts: Vec<Located<String>>,
    /// Header fields of every request; may use `credentials`.
    pub headers: Option<Raw>,
    /// Query parameters of every request; may use `credentials`.
    pub params: Option<Raw>,
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
    pub header: String,
}

/// Where error messages stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorSpec {
    /// For people.
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
    pub when: Option<Raw>,
    /// 200 unless said.
    pub status: Option<u16>,
    /// Header fields.
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
#[expect(dead_code, reason = "a test of a rule is named by what it expects")]
pub struct RuleTestSpec {
    /// What it shows.
    pub name: Option<String>,
    /// What the API answers.
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
