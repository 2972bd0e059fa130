//! Where a redirect leads, and whether it is followed (RFC 9110, section 15.4).
//!
//! Credentials go to the base URL's origin and to the hosts of the blueprint, nowhere else; a read
//! goes on without them to hosts that the blueprint opens. A write goes on within its origin only,
//! and only where the status says what has become of it: 303 (carried out, the answer is over
//! there), 307 and 308 (not carried out, repeat it there). 301 and 302 do not say it, and clients
//! differ in what they do.

use url::Url;

use crate::{
    model::http::{Method, is_safe},
    policy::host,
};

/// How many redirects are followed for one request.
pub const MOST: u32 = 5;

/// A request that was answered.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Where it went.
    pub url: &'a Url,
    /// Whether it went without credentials, because of a redirect before.
    pub bare: bool,
}

/// Where requests of a blueprint may go.
#[derive(Clone, Copy)]
pub struct Hosts<'a> {
    /// The base URL.
    pub base: &'a Url,
    /// Further hosts that may see credentials.
    pub trusted: &'a [String],
    /// Hosts to which reads may be redirected, without credentials.
    pub open: &'a [String],
}

/// The next request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: Url,
    /// Whether it goes without credentials, and without what else the blueprint adds.
    pub bare: bool,
}

/// Why a redirect is not followed, with the place to which it points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// `None`, if it is no URL.
    pub target: Option<Url>,
    /// For people.
    pub reason: &'static str,
    /// Whether a key of the blueprint would let it be followed.
    pub host: bool,
}

/// Whether a status moves a request that is sent again.
pub const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Where an answer with such a status sends a request.
pub fn target(
    asked: Asked<'_>,
    hosts: Hosts<'_>,
    status: u16,
    location: &str,
) -> Result<Hop, Stay> {
    let Asked { method, url: from, bare } = asked;
    let stay = |target: Option<Url>, reason| Stay { target, reason, host: false };
    let Ok(mut url) = from.join(location) else { return Err(stay(None, "it is no URL")) };
    let allowed = host::guard(hosts.base, hosts.trusted, from, location).ok();
    let trusted = allowed.is_some();
    if let Some(allowed) = allowed {
        url = allowed;
    }
    url.set_fragment(None);
    let safe = is_safe(method);
    if !safe && matches!(status, 301 | 302) {
        return Err(stay(Some(url), "it does not say what has become of the write"));
    }
    if !safe && !host::is_same_origin(&url, from) {
        return Err(stay(Some(url), "a write goes to no other origin"));
    }
    let method = match status {
        303 if *method != Method::HEAD => Method::GET,
        _ => method.clone(),
    };
    if !trusted {
        let reads = matches!(method, Method::GET | Method::HEAD);
        if !reads || !host::is_listed(&url, hosts.open) {
            let reason = "the blueprint names no such host";
            return Err(Stay { target: Some(url), reason, host: reads });
        }
    }
    if url == *from && method == *asked.method {
        return Err(stay(Some(url), "it leads in a circle"));
    }
    Ok(Hop { method, url, bare: bare || !trusted })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(method: &Method, from: &str, status: u16, location: &str) -> Result<Hop, Stay> {
        let base = Url::parse("https://api.acme.test/v1").unwrap();
        let url = Url::parse(from).unwrap();
        let (trusted, open) = (["files.acme.test".to_owned()], ["*.cdn.test".to_owned()]);
        let bare = url.host_str() == Some("x.cdn.test");
        let hosts = Hosts { base: &base, trusted: &trusted, open: &open };
        target(Asked { method, url: &url, bare }, hosts, status, location)
    }

    #[test]
    fn reads_go_on_with_credentials_at_home_and_without_them_where_that_is_open() {
        let from = "https://api.acme.test/v1/a?x=1";
        for (location, to, bare) in [
            ("/v2/b?y=2", "https://api.acme.test/v2/b?y=2", false),
            ("b#part", "https://api.acme.test/v1/b", false),
            ("/caf\u{e9} x", "https://api.acme.test/caf%C3%A9%20x", false),
            ("https://api.acme.test:443/c", "https://api.acme.test/c", false),
            ("http://api.acme.test/c", "https://api.acme.test/c", false),
            ("?page=2", "https://api.acme.test/v1/a?page=2", false),
            ("https://files.acme.test/c", "https://files.acme.test/c", false),
            ("https://x.cdn.test/c?sig=1", "https://x.cdn.test/c?sig=1", true),
        ] {
            let found = hop(&Method::GET, from, 302, location).unwrap();
            assert_eq!((found.url.as_str(), found.bare), (to, bare), "{location}");
        }
        // What has left comes back without credentials.
        let back = hop(&Method::GET, "https://x.cdn.test/c", 302, "https://api.acme.test/d");
        assert!(back.unwrap().bare);
        for location in [
            "https://api.acme.test:8443/c",
            "https://acme.test/c",
            "https://me:secret@api.acme.test/c",
            "//evil.test/x",
            "/\\evil.test/x",
            "\\\\evil.test\\x",
            "http://x.cdn.test/c",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://[",
            from,
        ] {
            assert!(hop(&Method::GET, from, 302, location).is_err(), "{location}");
        }
    }

    #[test]
    fn a_status_says_with_which_method_it_goes_on() {
        let here = "https://api.acme.test/v1/a";
        for (method, status, expected) in [
            (Method::GET, 301, Some(Method::GET)),
            (Method::HEAD, 303, Some(Method::HEAD)),
            (Method::OPTIONS, 308, Some(Method::OPTIONS)),
            (Method::POST, 303, Some(Method::GET)),
            (Method::DELETE, 303, Some(Method::GET)),
            (Method::POST, 307, Some(Method::POST)),
            (Method::PUT, 308, Some(Method::PUT)),
            (Method::POST, 301, None),
            (Method::POST, 302, None),
        ] {
            let found = hop(&method, here, status, "/v1/b").ok().map(|hop| hop.method);
            assert_eq!(found, expected, "{method} {status}");
        }
        // A write stays where it was sent, and reads with more to say go to no open host.
        assert!(hop(&Method::POST, here, 307, "https://files.acme.test/b").is_err());
        assert!(hop(&Method::POST, here, 303, "https://files.acme.test/b").is_err());
        assert!(hop(&Method::OPTIONS, here, 302, "https://x.cdn.test/b").is_err());
        // The answer to a write may be where it was sent.
        assert!(hop(&Method::POST, here, 303, here).is_ok());
    }
}
