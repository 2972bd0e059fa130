//! A step: one HTTP request, possibly repeated.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::{
    decode::{Located, Raw},
    spec::common::{PaginateForm, RuleSpec},
};

/// One HTTP request, possibly repeated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// Its name under `steps`.
    pub id: Option<Located<String>>,
    /// Only if this is true; a skipped step is an empty object.
    #[serde(rename = "if")]
    #[schemars(with = "Option<String>")]
    pub condition: Option<Raw>,
    /// Once for each element of this list.
    #[schemars(with = "Option<String>")]
    pub each: Option<Raw>,
    /// The name of the current element; `item`.
    #[serde(rename = "as")]
    pub name: Option<Located<String>>,
    /// At most so many elements at a time; 4.
    pub concurrency: Option<Located<u32>>,
    /// The `as` name is then a list of up to so many.
    pub batch: Option<Located<u32>>,
    /// What a failed element does; `fail`.
    pub on_error: Option<OnErrorSpec>,
    /// GET this path, relative to `base_url`.
    #[schemars(with = "Option<String>")]
    pub get: Option<Raw>,
    /// POST to this path.
    #[schemars(with = "Option<String>")]
    pub post: Option<Raw>,
    /// PUT to this path.
    #[schemars(with = "Option<String>")]
    pub put: Option<Raw>,
    /// PATCH this path.
    #[schemars(with = "Option<String>")]
    pub patch: Option<Raw>,
    /// DELETE this path.
    #[schemars(with = "Option<String>")]
    pub delete: Option<Raw>,
    /// HEAD of this path.
    #[schemars(with = "Option<String>")]
    pub head: Option<Raw>,
    /// Query parameters; absent values are left out.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub query: Option<Raw>,
    /// Header fields.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub headers: Option<Raw>,
    /// A JSON body.
    pub json: Option<Raw>,
    /// A form body.
    pub form: Option<Raw>,
    /// A multipart body.
    pub multipart: Option<Raw>,
    /// A text body.
    #[schemars(with = "Option<String>")]
    pub text: Option<Raw>,
    /// A body of bytes, given as base64.
    #[schemars(with = "Option<String>")]
    pub bytes: Option<Raw>,
    /// How the answer is read; `json`.
    pub accept: Option<AcceptSpec>,
    /// `true` for the blueprint's pagination, or an object that overrides parts of it.
    #[schemars(with = "Option<PaginateForm>")]
    pub paginate: Option<Raw>,
    /// Ask again until something is true.
    pub poll: Option<Raw>,
    /// May be repeated, whatever its method says.
    pub idempotent: Option<bool>,
    /// Of one exchange.
    pub timeout: Option<Located<String>>,
    /// Rules of this step, before all others.
    #[serde(default)]
    pub responses: Vec<RuleSpec>,
    /// The step's own result.
    pub output: Option<Raw>,
}

/// What a failed element of `each` does.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnErrorSpec {
    /// The step fails.
    Fail,
    /// It stands in `errors`.
    Collect,
    /// It is left out.
    Skip,
}

/// How an answer is read.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AcceptSpec {
    /// Parsed.
    Json,
    /// As text.
    Text,
    /// As base64.
    Bytes,
    /// As text.
    Xml,
}
