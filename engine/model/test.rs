//! `tests:` of an action: expected requests with replies, and what must come of them.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::model::{
    failure::Code,
    http::{HeaderMap, HeaderName, Method},
    pagination::Cut,
};

/// One test of an action.
#[derive(Debug)]
pub struct ActionTest {
    /// What it shows.
    pub name: String,
    /// 1-based line in its file.
    pub line: usize,
    /// The input.
    pub input: Value,
    /// `connection`: values of the connection.
    pub connection: Value,
    /// Each is used once; order is free.
    pub http: std::sync::Arc<[Exchange]>,
    /// What must come of it.
    pub expect: Expectation,
}

/// An expected request and its reply.
#[derive(Debug)]
pub struct Exchange {
    /// 1-based line in its file.
    pub line: usize,
    /// The method.
    pub method: Method,
    /// Path and query relative to `base_url`, or a whole URL; compared after rendering.
    pub target: String,
    /// Compared as a subset. `$same`: equal in all requests of this test that
    /// say so.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: ExpectedBody,
    /// The answer.
    pub reply: Reply,
}

/// What is asked of a body.
#[derive(Debug)]
pub enum ExpectedBody {
    /// Not compared.
    Any,
    /// `json`: equal.
    Json(Value),
    /// `contains`: all given members are there.
    Contains(Value),
    /// `form`: equal as text, after `+`/`%20` and order are left as they are. Brackets in names
    /// are written as `[ ]`.
    Form(String),
    /// `text`: equal.
    Text(String),
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// An HTTP answer.
    Answer {
        /// 200 unless said.
        status: u16,
        /// The fields.
        headers: HeaderMap,
        /// As sent.
        body: Bytes,
    },
    /// `fail: connect`: never sent.
    FailConnect,
    /// `fail: timeout`: sent, fate unknown.
    FailTimeout,
}

/// `expect` of a test. A part that is `None` is not compared.
#[derive(Debug, Default)]
pub struct Expectation {
    /// The output; `$opaque` stands for any opaque token.
    pub output: Option<Value>,
    /// The failure.
    pub error: Option<ExpectedError>,
    /// The sum of the engine's waits.
    pub waited: Option<Duration>,
    /// `connection: reauthorize`: the connection must be marked (`true`).
    pub reauthorize: Option<bool>,
    /// Whether a page limit was reached.
    pub truncated: Option<bool>,
    /// Why a list was cut.
    pub truncated_by: Option<Cut>,
}

/// `expect.error`.
#[derive(Debug)]
pub struct ExpectedError {
    /// The code.
    pub code: Code,
    /// The message.
    pub message: Option<String>,
    /// The detail, compared as a subset.
    pub detail: Option<Value>,
    /// The flag.
    pub maybe_executed: Option<bool>,
    /// How many writes were answered with success.
    pub executed: Option<u64>,
    /// The writes, each compared as a subset.
    pub writes: Option<Value>,
}
