//! What goes with every page: for the sandbox, and for the end of a sign-in (threat T23).

use http::header;

use crate::model::http::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// Nothing is loaded, framed, cached, or told to the next page.
pub fn fields() -> HeaderMap {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)))
    .into_iter()
    .collect()
}
