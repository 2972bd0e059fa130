//! What goes with every page: for the sandbox, and for the end of a sign-in (threat T23).

/// Nothing is loaded, framed, cached, or told to the next page.
pub const FIELDS: [(&str, &str); 5] = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
];
