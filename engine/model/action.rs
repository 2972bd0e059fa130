//! `Action`: what can be done with an API.

use std::time::Duration;

use crate::model::{
    http::{HeaderName, Method},
    name::{ActionName, BlueprintId},
    pagination::Pagination,
    rule::Rule,
    run_limits::RunLimits,
    schema::Schema,
    template::{Shape, Template},
    test::ActionTest,
};

/// An action file, whole.
#[derive(Debug)]
pub struct Action {
    /// The file's name, without the blueprint's.
    pub name: ActionName,
    /// Whose API it calls.
    pub blueprint: BlueprintId,
    /// For people.
    pub title: Option<String>,
    /// For people and language models.
    pub description: Option<String>,
    /// Does it change anything?
    pub effect: Effect,
    /// Scopes that its requests need.
    pub scopes: Vec<String>,
    /// What the caller gives.
    pub input: Schema,
    /// In order.
    pub steps: Vec<Step>,
    /// What the caller gets.
    pub output: Shape,
    /// What the caller may rely on.
    pub returns: Option<Schema>,
    /// `limits`
    pub limits: RunLimits,
    /// `tests:` in the file.
    pub tests: Vec<ActionTest>,
}

/// `effect`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// Changes nothing.
    #[default]
    Read,
    /// Creates or changes something.
    Write,
    /// Removes something.
    Delete,
}

impl Effect {
    /// As it stands in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

/// One HTTP request, possibly repeated.
#[derive(Debug, Clone)]
pub struct Step {
    /// The name under `steps`.
    pub id: String,
    /// `if`
    pub condition: Option<Template>,
    /// `each`
    pub each: Option<Each>,
    /// The method.
    pub method: Method,
    /// The path; each expression is one segment. Begins with `/`.
    pub path: Template,
    /// `query`, in order.
    pub query: Vec<(String, Shape)>,
    /// `headers`, lower case.
    pub headers: Vec<(HeaderName, Template)>,
    /// What is sent.
    pub body: Body,
    /// How the answer is read.
    pub accept: Accept,
    /// `paginate`, merged with the blueprint's.
    pub paginate: Option<StepPagination>,
    /// `idempotent`, if said.
    pub idempotent: Option<bool>,
    /// Of one exchange; else the blueprint's.
    pub timeout: Option<Duration>,
    /// `responses` of this step, before all others.
    pub rules: Vec<Rule>,
    /// `output`: the step's own result.
    pub output: Option<Shape>,
}

/// `each` and its companions.
#[derive(Debug, Clone)]
pub struct Each {
    /// The list.
    pub list: Template,
    /// `as`; `item` by default.
    pub name: String,
    /// At most so many at a time; 4 by default.
    pub concurrency: usize,
    /// The `as` name is then a list of up to so many.
    pub batch: Option<usize>,
    /// What a failed item does.
    pub on_error: OnError,
}

/// `on_error`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The step fails with the first failure.
    #[default]
    Fail,
    /// Failures are collected in `errors` and `results`.
    Collect,
    /// Failures are dropped.
    Skip,
}

/// The body of a step.
#[derive(Debug, Clone)]
pub enum Body {
    /// None.
    Empty,
    /// `json`
    Json(Shape),
    /// `form`, nested objects and lists by the blueprint's `arrays`.
    Form(Shape),
    /// `text`
    Text(Template),
    /// `bytes`: base64 in, bytes out.
    Bytes(Template),
}

/// `accept`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Accept {
    /// Parsed; the default.
    #[default]
    Json,
    /// A string.
    Text,
    /// Base64.
    Bytes,
    /// A string too.
    Xml,
    /// JSON if it is JSON, else a string; for `engine request`, not offered in files.
    Auto,
}

/// `paginate` of a step.
#[derive(Debug, Clone)]
pub struct StepPagination {
    /// The blueprint's, overridden by the step's.
    pub pagination: Pagination,
    /// `pages: one`: one page, and `next` is an opaque token.
    pub one: bool,
    /// `from`: such a token of an earlier call; absent starts at the beginning.
    pub from: Option<Template>,
}
