//! Keys with which programs use the server.

use std::time::Duration;

use serde::Serialize;

use crate::model::time::{Timestamp, format_span, parse_span};

/// A key, without the text that its holder has: of that only the digest is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Ordered by time, and unique; no secret.
    pub id: String,
    /// SHA-256 of the text, in hexadecimal digits. The text is 256 random bits, so that a digest
    /// without salt or stretching says nothing about it.
    pub hash: String,
    /// For people.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Of what and of whom.
    pub narrowing: Narrowing,
    /// How fast, in this process.
    pub rate: Option<KeyRate>,
    /// How many requests at once, in this process.
    pub concurrency: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// It is refused from then on.
    pub expires_at: Option<Timestamp>,
    /// It is refused since then.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it is taken.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// Of what and of whom a key may know. Nothing is left out where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// Globs over integrations; empty for all.
    pub integrations: Vec<String>,
    /// Globs over actions; empty for all.
    pub actions: Vec<String>,
    /// Only what changes nothing.
    pub read_only: bool,
    /// Only connections of this end user.
    pub end_user: Option<String>,
}

/// So many requests in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRate {
    /// How many.
    pub requests: u32,
    /// In how long.
    pub span: Duration,
}

impl KeyRate {
    /// Reads `600/1m`.
    pub fn parse(text: &str) -> Option<Self> {
        let (requests, span) = text.split_once('/')?;
        let requests = requests.trim().parse().ok().filter(|count| *count > 0)?;
        let span = parse_span(span.trim()).filter(|span| !span.is_zero())?;
        Some(Self { requests, span })
    }

    /// Whether it lets no more through than another, neither at once nor in the long run.
    pub fn is_within(&self, other: &Self) -> bool {
        let in_span = |rate: &Self, span: Duration| u128::from(rate.requests) * span.as_millis();
        self.requests <= other.requests && in_span(self, other.span) <= in_span(other, self.span)
    }
}

impl std::fmt::Display for KeyRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.requests, format_span(self.span))
    }
}

impl Serialize for KeyRate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What a key can be allowed, by the names that Nango's keys have. `…:*` is all that begins so, and
/// `*` is everything.
pub const SCOPES: &[&str] = &[
    "environment:integrations:list",
    "environment:integrations:list_credentials",
    "environment:integrations:list_functions",
    "environment:integrations:read",
    "environment:integrations:read_credentials",
    "environment:integrations:create",
    "environment:integrations:update",
    "environment:integrations:delete",
    "environment:connections:list",
    "environment:connections:list_credentials",
    "environment:connections:read",
    "environment:connections:read_credentials",
    "environment:connections:create",
    "environment:connections:update",
    "environment:connections:delete",
    "environment:proxy",
    "environment:actions:execute",
    "environment:variables:read",
    "environment:logs:read",
    "account:environments:api_keys:create",
    "account:environments:api_keys:delete",
];

/// Whether a scope, or a beginning of scopes with `*`, means any that there is.
pub fn is_scope(text: &str) -> bool {
    SCOPES.iter().any(|known| grants(text, known))
}

/// Whether `granted` covers `wanted`, which may end in `*` itself.
pub fn grants(granted: &str, wanted: &str) -> bool {
    match granted.strip_suffix('*') {
        Some(start) if start.is_empty() || start.ends_with(':') => wanted.starts_with(start),
        Some(_) | None => granted == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_what_begins_so() {
        for (granted, wanted, covered) in [
            ("environment:proxy", "environment:proxy", true),
            ("environment:proxy", "environment:proxy2", false),
            ("environment:connections:*", "environment:connections:read", true),
            ("environment:connections:*", "environment:connections:*", true),
            ("environment:connections:*", "environment:proxy", false),
            ("environment:connections:*", "environment:*", false),
            ("*", "environment:*", true),
            ("environment:conn*", "environment:connections:read", false),
        ] {
            assert_eq!(grants(granted, wanted), covered, "{granted} {wanted}");
        }
        assert!(is_scope("environment:*") && is_scope("*") && is_scope("environment:logs:read"));
        assert!(!is_scope("environment") && !is_scope("logs:read") && !is_scope("x:*"));
    }

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        let rate = KeyRate::parse("600/1m").unwrap();
        assert_eq!((rate.requests, rate.span), (600, Duration::from_mins(1)));
        assert_eq!(rate.to_string(), "600/1m");
        for bad in ["600", "0/1m", "-1/1m", "1/0s", "1/minute", "/1m"] {
            assert_eq!(KeyRate::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_good_until_it_expires_or_is_revoked() {
        let key = |expires_at, revoked_at| ApiKey {
            id: "k".into(),
            hash: "h".into(),
            name: None,
            scopes: Vec::new(),
            narrowing: Narrowing::default(),
            rate: None,
            concurrency: None,
            created_at: Timestamp(0),
            expires_at,
            revoked_at,
            last_used_at: None,
        };
        assert!(key(None, None).is_good(Timestamp(5)));
        assert!(key(Some(Timestamp(6)), None).is_good(Timestamp(5)));
        assert!(!key(Some(Timestamp(5)), None).is_good(Timestamp(5)));
        assert!(!key(None, Some(Timestamp(1))).is_good(Timestamp(5)));
    }
}
