//! What a handler is given.

use std::{sync::Arc, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    engine::Engine,
    http::{Request, Unread},
    model::{
        http::{Fields, HeaderName},
        time::parse_span,
    },
    server::{counts::Counts, guard::Caller, problem::Problem, reload::Reload, tasks::Tasks},
};

/// The parameters of a path, decoded.
pub type Params = Vec<(&'static str, String)>;

/// What all handlers share.
pub struct Shared {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The files, and whether they are in use.
    pub reload: Arc<Reload>,
    /// The requests so far.
    pub counts: Counts,
    /// Work that goes on although its client is gone.
    pub tasks: Tasks,
}

/// A request that found its row, and was let in.
pub struct Ask<'a> {
    /// What all share.
    pub shared: &'a Shared,
    /// What came.
    pub request: Request,
    /// Of the path.
    pub params: Params,
    /// Whose it is; of a row that is open, nobody's.
    pub key: Option<Arc<Caller>>,
}

/// The parameters of a query.
pub struct Query(Vec<(String, String)>);

impl<'a> Ask<'a> {
    /// The engine.
    pub fn engine(&self) -> &'a Arc<Engine> {
        &self.shared.engine
    }

    /// A parameter of the path; each that the row names is there.
    pub fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The key; rows that are open have none.
    pub fn caller(&self) -> Result<Arc<Caller>, Problem> {
        let nobody = || Problem::new(500, "server_error", "this row asks for no key");
        self.key.clone().ok_or_else(nobody)
    }

    /// The parameters of the query: none but these, each once.
    pub fn query(&self, known: &[&str]) -> Result<Query, Problem> {
        let query = self.request.uri.query().unwrap_or_default();
        let all: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (place, (name, _)) in all.iter().enumerate() {
            let what = if !known.contains(&name.as_str()) {
                "is not known here"
            } else if all.iter().take(place).any(|(before, _)| before == name) {
                "stands twice"
            } else {
                continue;
            };
            let message = format!("the parameter `{}` {what}", name.escape_debug());
            let hint = format!("known are: {}", known.join(", "));
            return Err(Problem::new(400, "invalid_query_params", message).with_hint(hint));
        }
        Ok(Query(all))
    }

    /// A field that holds a span of time.
    pub fn span(&self, name: &'static str) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.request.headers.text(HeaderName::from_static(name)) else {
            return Ok(None);
        };
        let span = parse_span(text.trim()).filter(|span| !span.is_zero());
        span.map(Some).ok_or_else(|| {
            let message = format!("the field `{name}` is not a time span");
            Problem::new(400, "invalid_headers", message).with_hint("write it as `10s`, `2m`")
        })
    }
}

impl Query {
    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number, within these bounds.
    pub fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| {
            let message = format!("the parameter `{name}` is not a number from {least} to {most}");
            Problem::new(400, "invalid_query_params", message)
        })
    }
}

/// Reads a body as JSON, whatever its type is called; an empty one is `null`.
pub async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let body = request.body().await?;
    let text: &[u8] = if body.is_empty() { b"null" } else { &body };
    serde_json::from_slice(text).map_err(|error| {
        let code = if error.is_data() { "invalid_body" } else { "invalid_json" };
        // What it says quotes at most names and kinds of what is there.
        Problem::new(400, code, format!("the body cannot be read: {error}"))
    })
}

impl From<Unread> for Problem {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => {
                Self::new(413, "body_too_large", "the body is larger than this server takes")
                    .with_hint("`engine serve --max-body` raises it")
            }
            Unread::Broken => {
                Self::new(408, "body_incomplete", "the body came too slowly, or broke off")
            }
        }
    }
}
