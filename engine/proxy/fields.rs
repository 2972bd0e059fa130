//! Which fields of a message go on (RFC 9110, section 7.6.1; threat T34).

use std::collections::BTreeSet;

use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};

use crate::model::http::{CONTENT_TYPE, Fields, HeaderMap, HeaderName, HeaderValue, is_framing};

/// What begins so goes up, without it. Nothing else of the caller does.
const PREFIX: &str = "nango-proxy-";
/// Belong to one connection, or to a browser that asked somebody else.
const OWN: [&str; 2] = ["proxy-authenticate", "proxy-authorization"];
const BROWSER: &str = "access-control-";

/// What goes up. The type of a body is known by its plain field, where no prefixed one says it.
pub fn up(headers: &HeaderMap, has_body: bool) -> Vec<(HeaderName, HeaderValue)> {
    let mut up: Vec<(HeaderName, HeaderValue)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().strip_prefix(PREFIX)?, value)))
        .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, value.clone())))
        .filter(|(name, _)| !belongs_to_connection(name))
        .collect();
    if let Some(kind) = headers.get(CONTENT_TYPE)
        && has_body
        && !up.iter().any(|(name, _)| name == CONTENT_TYPE)
    {
        up.push((CONTENT_TYPE, kind.clone()));
    }
    up
}

/// What comes back: everything but what belongs to the connection, or names what does. How long
/// the body is stays, as whoever sends it on keeps to it; unless something else says where the body
/// ends (RFC 9112, section 6.3), or several lengths stand there.
pub fn down(headers: &HeaderMap) -> HeaderMap {
    let named: BTreeSet<String> = headers
        .texts(CONNECTION)
        .flat_map(|list| {
            list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect::<Vec<_>>()
        })
        .collect();
    let has_length = !headers.contains_key(TRANSFER_ENCODING)
        && headers.get_all(CONTENT_LENGTH).iter().count() == 1;
    let goes = |name: &HeaderName| {
        (*name == CONTENT_LENGTH && has_length)
            || !(belongs_to_connection(name)
                || name.as_str().starts_with(BROWSER)
                || named.contains(name.as_str()))
    };
    let all = headers.iter().filter(|(name, _)| goes(name));
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn belongs_to_connection(name: &HeaderName) -> bool {
    is_framing(name) || *name == TRAILER || OWN.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
        fields.iter().map(field).collect::<Vec<(HeaderName, HeaderValue)>>().into_iter().collect()
    }

    fn names<'a>(all: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> Vec<String> {
        let mut names: Vec<String> =
            all.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        names.sort();
        names
    }

    #[test]
    fn only_prefixed_fields_go_up() {
        let given = map(&[
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("connection-id", "x"),
            ("connection_id", "x"),
            ("nango-proxy-x-a", "1"),
            ("Nango-Proxy-Accept", "text/plain"),
            ("nango-proxy-host", "evil.test"),
            ("nango-proxy-content-length", "9"),
            ("nango-proxy-connection", "x-a"),
            ("nango-proxy-", "odd"),
            ("content-type", "application/json"),
        ]);
        let sent = |headers, has_body| {
            let up = up(headers, has_body);
            names(up.iter().map(|(name, value)| (name, value)))
        };
        assert_eq!(sent(&given, false), ["accept: text/plain", "x-a: 1"]);
        assert_eq!(
            sent(&given, true),
            ["accept: text/plain", "content-type: application/json", "x-a: 1"]
        );
        let own = map(&[("content-type", "a/b"), ("nango-proxy-content-type", "c/d")]);
        assert_eq!(sent(&own, true), ["content-type: c/d"]);
    }

    #[test]
    fn everything_but_the_connections_own_comes_back() {
        let answer = map(&[
            ("content-type", "text/csv"),
            ("content-length", "5"),
            ("content-encoding", "gzip"),
            ("etag", "x"),
            ("set-cookie", "a=b"),
            ("connection", "keep-alive, X-Hop"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("upgrade", "h2c"),
            ("proxy-authenticate", "Basic"),
            ("access-control-allow-origin", "*"),
        ]);
        let down = down(&answer);
        assert_eq!(
            names(down.iter()),
            [
                "content-encoding: gzip",
                "content-length: 5",
                "content-type: text/csv",
                "etag: x",
                "set-cookie: a=b"
            ]
        );
    }
    #[test]
    fn a_length_that_does_not_count_is_not_handed_on() {
        let length = ("content-length", "5");
        assert!(down(&map(&[length])).contains_key(CONTENT_LENGTH));
        assert!(down(&map(&[length, ("transfer-encoding", "chunked")])).is_empty());
        assert!(down(&map(&[length, length])).is_empty());
    }
}
