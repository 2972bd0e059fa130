//! Limits: how fast one may go.

use std::time::Duration;

use crate::model::{http::Method, rule::Locator, template::Template};

/// One bucket family of a blueprint.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Unique within a blueprint chain; a child's replaces its parent's.
    pub name: String,
    /// What separates buckets of this name.
    pub per: Vec<Per>,
    /// Which requests it is for: methods (empty: all) …
    pub methods: Vec<Method>,
    /// … and the encoded path relative to `base_url`; `*` is one segment.
    pub path: Option<String>,
    /// At most so many starts in any window.
    pub rate: Option<Rate>,
    /// At most so many at a time.
    pub concurrency: Option<u32>,
    /// What the API itself tells about the bucket.
    pub observe: Option<Observe>,
}

/// Part of a bucket's key.
#[derive(Debug, Clone)]
pub enum Per {
    /// The name of the integration.
    Integration,
    /// The id of the connection.
    Connection,
    /// A value; absent means the connection's id.
    Expr(Template),
}

/// `N/D`: at most N starts in any window of D.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least one.
    pub count: u32,
    /// The window, longer than zero.
    pub window: Duration,
}

impl Rate {
    /// Reads `110/10s`, `20/1m`, `10/s`.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, window) = text.split_once('/')?;
        let count = count.parse().ok().filter(|count| *count > 0)?;
        let one =
            window.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| format!("1{window}"));
        let window = crate::model::time::parse_span(one.as_deref().unwrap_or(window))
            .filter(|window| !window.is_zero())?;
        Some(Self { count, window })
    }
}

/// Where an API tells what is left of a bucket.
#[derive(Debug, Clone, Default)]
pub struct Observe {
    /// How many are left.
    pub remaining: Option<Locator>,
    /// How many there are in all.
    pub limit: Option<Locator>,
    /// How many are used.
    pub used: Option<Locator>,
    /// When it fills again.
    pub reset: Option<Locator>,
    /// `{draft: ietf}`: `RateLimit` and `RateLimit-Policy`, and their older three-header form.
    pub ietf: bool,
}
