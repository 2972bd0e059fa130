//! The small parts that are used everywhere.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::catalog::decode::{Located, Raw};

/// A rule: `when` match → `is` outcome.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// `{status, header, body}`, all given must fit; or one boolean expression.
    #[schemars(with = "WhenForm")]
    pub when: Raw,
    /// What such an answer means.
    pub is: Located<OutcomeSpec>,
    /// With `error`: the code that callers get.
    pub code: Option<CodeSpec>,
    /// Instead of the blueprint's `error.message`.
    #[schemars(with = "Option<String>")]
    pub message: Option<Raw>,
    /// A span (`30s`), a locator, or a list of these; the first that yields counts.
    #[schemars(with = "Option<WaitForm>")]
    pub wait: Option<Raw>,
    /// With `ok`: replaces the body.
    pub value: Option<Raw>,
}

/// `when` of a rule, as an object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhenSpec {
    /// A number, a class such as `5xx`, or a list of these.
    #[schemars(with = "Option<OneOrMany<StatusForm>>")]
    pub status: Option<Raw>,
    /// Patterns of header values; names are case-blind, values are texts.
    pub header: Option<BTreeMap<String, Raw>>,
    /// A pattern of the body.
    pub body: Option<Raw>,
}

/// What an answer can mean.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeSpec {
    /// Success.
    Ok,
    /// Temporary; repeated only if the step is idempotent.
    Retry,
    /// Rejected, not executed; wait, then repeat whatever the method.
    RateLimited,
    /// Get a new token once, then repeat.
    Refresh,
    /// A person has to sign in again.
    Reauthorize,
    /// The step ends with `code`.
    Error,
}

/// The stable codes of failures.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CodeSpec {
    /// The caller's input was refused.
    InvalidInput,
    /// The credentials are not accepted.
    Unauthorized,
    /// The account may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It clashes with what is there.
    Conflict,
    /// The account has to pay, or its payment was declined.
    PaymentRequired,
    /// Too fast.
    RateLimited,
    /// The API failed.
    ProviderError,
    /// No answer in time.
    Timeout,
}

/// Where in an answer a number or a time stands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocatorSpec {
    /// A header's name.
    pub header: Option<String>,
    /// An expression over `body`.
    #[schemars(with = "Option<String>")]
    pub body: Option<Raw>,
    /// First group of a regular expression, or its whole match.
    pub regex: Option<Located<String>>,
    /// How to read it; never guessed.
    #[serde(rename = "as")]
    pub unit: UnitSpec,
}

/// The unit of a located value.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitSpec {
    /// From now; decimals allowed, for Retry-After also an HTTP date.
    Seconds,
    /// From now.
    Ms,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// A date as HTTP has it.
    HttpDate,
    /// ISO 8601.
    Iso,
    /// A count.
    Number,
}

/// A limit: how fast one may go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSpec {
    /// Unique in the blueprint; a child's limit of the same name replaces its keys.
    pub name: Located<String>,
    /// What separates buckets: `integration`, `connection`, or expressions.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub per: Vec<Raw>,
    /// Which requests it is for.
    pub when: Option<LimitWhenSpec>,
    /// `110/10s`: at most so many starts in any such window.
    #[schemars(with = "Option<String>")]
    pub rate: Option<Raw>,
    /// At most so many at a time.
    pub concurrency: Option<Located<u32>>,
    /// What the API itself tells about the bucket.
    pub observe: Option<ObserveSpec>,
}

/// Which requests a limit is for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitWhenSpec {
    /// Any of these methods.
    #[serde(default)]
    pub method: Vec<Located<String>>,
    /// The path relative to `base_url`; `*` is one segment.
    pub path: Option<Located<String>>,
}

/// What the API tells about a bucket.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserveSpec {
    /// How many are left.
    pub remaining: Option<LocatorSpec>,
    /// How many there are in all.
    pub limit: Option<LocatorSpec>,
    /// How many are used.
    pub used: Option<LocatorSpec>,
    /// When it fills again.
    pub reset: Option<LocatorSpec>,
    /// `ietf`: the `RateLimit` fields of the IETF draft and their older form.
    pub draft: Option<DraftSpec>,
}

/// Published forms of rate-limit headers.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DraftSpec {
    /// draft-ietf-httpapi-ratelimit-headers.
    Ietf,
}

/// How often to repeat.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySpec {
    /// All tries together; 5.
    pub attempts: Option<Located<u32>>,
    /// The first back-off; 500ms.
    pub initial: Option<Located<String>>,
    /// The longest back-off; 30s.
    pub max: Option<Located<String>>,
    /// The time that all waits of a request may take together; 2m.
    pub budget: Option<Located<String>>,
}

/// How an API hands out long lists.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PaginateSpec {
    /// Which way.
    pub kind: Option<Located<KindSpec>>,
    /// Where the rows are; the body itself by default.
    #[schemars(with = "Option<String>")]
    pub items: Option<Raw>,
    /// Whether there is more.
    #[schemars(with = "Option<String>")]
    pub more: Option<Raw>,
    /// With `cursor`: where the token is, and where it goes.
    pub cursor: Option<CursorSpec>,
    /// With `link`: the relation; `next` by default.
    pub rel: Option<String>,
    /// With `next_url`: where the link is.
    #[schemars(with = "Option<String>")]
    pub next: Option<Raw>,
    /// With `offset` and `page`: where the number goes.
    pub to: Option<Located<String>>,
    /// With `page`: the first page's number; 1.
    pub start: Option<i64>,
    /// The page size, and where it goes.
    pub size: Option<SizeSpec>,
    /// Stops here; 1000.
    pub max_pages: Option<Located<u32>>,
    /// Stops here.
    pub max_items: Option<u64>,
    /// In a step: `one` reads a single page, and `steps.x.next` is an opaque token.
    pub pages: Option<PagesSpec>,
    /// In a step: such a token of an earlier call.
    #[schemars(with = "Option<String>")]
    pub from: Option<Raw>,
}

/// Kinds of pagination.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KindSpec {
    /// A token of the answer goes into the next request.
    Cursor,
    /// The `Link` header.
    Link,
    /// A URL in the answer.
    NextUrl,
    /// Rows to skip.
    Offset,
    /// Page numbers.
    Page,
    /// One page.
    None,
}

/// A cursor: from where to where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorSpec {
    /// An expression over `body`, `headers`, `items`, `last`.
    #[schemars(with = "String")]
    pub from: Raw,
    /// `query.x`, `json.x`, `form.x` or `header.x`.
    pub to: Located<String>,
}

/// A page size.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SizeSpec {
    /// `query.x`, `json.x`, `form.x` or `header.x`.
    pub to: Located<String>,
    /// How many rows.
    pub value: Raw,
}

/// How many pages a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PagesSpec {
    /// All of them.
    All,
    /// One.
    One,
}

/// An answer, in tests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplySpec {
    /// 200 unless said.
    pub status: Option<u16>,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, Raw>,
    /// A JSON body.
    pub json: Option<Raw>,
    /// A text body.
    pub text: Option<String>,
    /// No answer at all.
    pub fail: Option<FailSpec>,
}

/// Ways not to answer.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailSpec {
    /// Nothing was sent.
    Connect,
    /// Sent, and no answer came.
    Timeout,
}

/// What editors are told of `when`, which `resolve` reads from the tree.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its JSON Schema is of use")]
pub enum WhenForm {
    /// All given parts must fit.
    Match(WhenSpec),
    /// One boolean expression.
    Condition(String),
}

/// What editors are told of `wait`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its JSON Schema is of use")]
pub enum WaitForm {
    /// A span such as `30s`, or where the answer says it.
    One(WaitPartForm),
    /// The first that yields.
    First(Vec<WaitPartForm>),
}

/// One way to know how long to wait.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its JSON Schema is of use")]
pub enum WaitPartForm {
    /// A span such as `30s`.
    Span(String),
    /// Where the answer says it.
    Locator(LocatorSpec),
}

/// What editors are told of a status.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its JSON Schema is of use")]
pub enum StatusForm {
    /// `404`
    Code(u16),
    /// `5xx`
    Class(String),
}

/// What editors are told of a value or a list of such values.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its JSON Schema is of use")]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

/// What editors are told of `paginate` of a step.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its JSON Schema is of use")]
pub enum PaginateForm {
    /// `true`: as the blueprint says.
    Switch(bool),
    /// Over what the blueprint says.
    Parts(Box<PaginateSpec>),
}

/// What editors are told of a JSON Schema.
pub struct SchemaForm;

impl JsonSchema for SchemaForm {
    fn schema_name() -> Cow<'static, str> {
        "JsonSchema".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"$ref": "https://json-schema.org/draft/2020-12/schema"})
    }
}
