//! Where credentials may go: the base URL's origin and the hosts that the blueprint names.

use url::Url;

/// Why a link is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nothing that a URL parser takes.
    #[error("the next link is no URL")]
    Unreadable,
    /// Another scheme, host or port.
    #[error("the next link leads to `{origin}`, which is not a host of this blueprint")]
    Elsewhere {
        /// Scheme, host and port.
        origin: String,
    },
}

/// Resolves a link of an answer against the request's URL (RFC 3986), and lets it pass only to the
/// base URL's origin or to `hosts` over https. Compared after parsing: `//evil`, `/\evil` and
/// full-width letters are what the parser makes of them.
pub fn guard(base: &Url, hosts: &[String], request: &Url, target: &str) -> Result<Url, Denied> {
    let mut url = request.join(target).map_err(|_| Denied::Unreadable)?;
    // A server behind a front end that ends TLS names the scheme that it sees itself.
    if url.scheme() == "http" && base.scheme() == "https" && url.host() == base.host() {
        url.set_scheme("https").map_err(|()| Denied::Unreadable)?;
    }
    let here = is_plain(&url) && (is_same_origin(&url, base) || is_secured(&url, base));
    if here || is_listed(&url, hosts) {
        return Ok(url);
    }
    Err(Denied::Elsewhere { origin: origin(&url) })
}

/// Whether a URL leads over https, at its own port, to a host of a list.
pub fn is_listed(url: &Url, hosts: &[String]) -> bool {
    let host = url.host_str().unwrap_or_default();
    let secure = url.scheme() == "https" && url.port_or_known_default() == Some(443);
    is_plain(url) && secure && hosts.iter().any(|allowed| covers(allowed, host))
}

/// Scheme, host and port, for messages.
pub fn origin(url: &Url) -> String {
    let origin = url.origin();
    if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) }
}

/// Without a user in it.
fn is_plain(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

/// The base URL's host and port, over https where the base is not.
fn is_secured(url: &Url, base: &Url) -> bool {
    let schemes = url.scheme() == "https" && base.scheme() == "http";
    schemes && url.has_host() && url.host() == base.host() && url.port() == base.port()
}

/// Scheme, host and port of URLs that have a host (RFC 6454, section 5).
pub fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.has_host()
        && one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// `*.example.com` covers every depth below, not `example.com` itself; `*` covers all.
fn covers(allowed: &str, host: &str) -> bool {
    if allowed == "*" {
        return true;
    }
    match allowed.strip_prefix("*.") {
        Some(parent) => {
            host.strip_suffix(parent).is_some_and(|below| below.len() > 1 && below.ends_with('.'))
        }
        None => allowed == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_origin_and_named_hosts() {
        let base = Url::parse("https://api.acme.test/v1").unwrap();
        let request = Url::parse("https://api.acme.test/v1/things?page=1").unwrap();
        let hosts = ["files.acme.test".to_owned(), "*.eu.acme.test".to_owned()];
        for (target, expected) in [
            ("/v2/x", Some("https://api.acme.test/v2/x")),
            ("?page=2", Some("https://api.acme.test/v1/things?page=2")),
            ("more", Some("https://api.acme.test/v1/more")),
            ("https://API.acme.test:443/y", Some("https://api.acme.test/y")),
            ("https://files.acme.test/z", Some("https://files.acme.test/z")),
            ("https://a.b.eu.acme.test/", Some("https://a.b.eu.acme.test/")),
            ("https://eu.acme.test/", None),
            ("https://evileu.acme.test/", None),
            ("http://api.acme.test/v1", Some("https://api.acme.test/v1")),
            ("http://api.acme.test:8080/v1", None),
            ("https://api.acme.test:8443/", None),
            ("https://user@api.acme.test/", None),
            ("http://files.acme.test/", None),
            ("//evil.test/x", None),
            ("/\\evil.test/x", None),
            ("\\\\evil.test/x", None),
            ("https://api.acme.test.evil.test/", None),
            ("javascript:alert(1)", None),
            ("file:///etc/passwd", None),
            ("https://", None),
        ] {
            let found = guard(&base, &hosts, &request, target).ok().map(String::from);
            assert_eq!(found.as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn a_link_that_differs_only_in_its_scheme_is_taken_over_https() {
        for (base, target, expected) in [
            ("https://a.test:8443", "http://a.test:8443/x", Some("https://a.test:8443/x")),
            ("https://a.test:8443", "http://a.test/x", None),
            ("https://a.test", "http://b.test/x", None),
            ("https://a.test", "http://me@a.test/x", None),
            ("http://a.test", "https://a.test/x", Some("https://a.test/x")),
            ("http://a.test:8080", "https://a.test/x", None),
            ("http://a.test", "http://a.test/x", Some("http://a.test/x")),
        ] {
            let url = Url::parse(base).unwrap();
            let found = guard(&url, &[], &url, target).ok().map(String::from);
            assert_eq!(found.as_deref(), expected, "{base} {target}");
        }
    }
}
