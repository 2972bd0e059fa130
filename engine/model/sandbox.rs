//! `Sandbox`: canned resources of a blueprint.

use serde_json::Value;

use crate::model::{
    http::{HeaderName, Method},
    template::{Shape, Template},
};

/// `sandbox:` of a blueprint.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// First fit answers.
    pub routes: Vec<SandboxRoute>,
    /// `account`: what the sandbox's account looks like; for `connect`.
    pub account: Value,
}

/// One canned resource. Templates see `path` (captured segments), `query`, `body`, `headers`.
#[derive(Debug, Clone)]
pub struct SandboxRoute {
    /// The method.
    pub method: Method,
    /// Decoded segments relative to `base_url`; `{name}` captures one.
    pub segments: Vec<SandboxSegment>,
    /// Must be true for the route to fit.
    pub when: Option<Template>,
    /// 200 by default.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(HeaderName, Template)>,
    /// What is answered.
    pub body: SandboxBody,
    /// `pages`: the list in the answer is cut into pages of this many rows by the blueprint's own
    /// pagination; the client's page size wins if it is smaller.
    pub pages: Option<usize>,
}

/// A piece of a route's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxSegment {
    /// As it stands.
    Text(String),
    /// `{name}`
    Capture(String),
}

/// What a route answers.
#[derive(Debug, Clone)]
pub enum SandboxBody {
    /// Nothing.
    Empty,
    /// `json`
    Json(Shape),
    /// `text`
    Text(Template),
}
