//! Which redirects are followed: GET and HEAD, to the same origin. Credentials are on the request,
//! so that everything else is for the caller to judge.

use url::Url;

use crate::model::http::Method;

/// How many redirects are followed for one request.
pub const MOST: usize = 5;

/// Where to go next, if `location` of a response with `status` is to be followed.
pub fn target(method: &Method, from: &Url, (status, location): (u16, &str)) -> Option<Url> {
    let moved = matches!(status, 301 | 302 | 303 | 307 | 308);
    if !moved || !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let mut to = from.join(location).ok()?;
    to.set_fragment(None);
    let stays = to.origin() == from.origin()
        && to.username() == from.username()
        && to.password() == from.password();
    stays.then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_origin_is_followed() {
        let from = Url::parse("https://api.example.com/v1/a?x=1").unwrap();
        for (location, want) in [
            ("/v2/b?y=2", Some("https://api.example.com/v2/b?y=2")),
            ("b#part", Some("https://api.example.com/v1/b")),
            ("https://api.example.com:443/c", Some("https://api.example.com/c")),
            ("?page=2", Some("https://api.example.com/v1/a?page=2")),
            ("http://api.example.com/c", None),
            ("https://api.example.com:8443/c", None),
            ("https://example.com/c", None),
            ("https://me:secret@api.example.com/c", None),
            ("//evil.example/c", None),
            ("/\\evil.example/c", None),
            ("\\\\evil.example\\c", None),
            ("javascript:alert(1)", None),
            ("file:///etc/passwd", None),
            ("https://[", None),
        ] {
            let found = target(&Method::GET, &from, (302, location));
            assert_eq!(found.as_ref().map(Url::as_str), want, "{location}");
        }
    }

    #[test]
    fn only_moves_of_get_and_head_are_followed() {
        let from = Url::parse("https://api.example.com/").unwrap();
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST, Method::DELETE] {
            let follows = matches!(method, Method::GET | Method::HEAD);
            for status in [301, 302, 303, 307, 308] {
                assert_eq!(target(&method, &from, (status, "/x")).is_some(), follows);
            }
        }
        for status in [200, 201, 300, 304, 305, 306, 400] {
            assert_eq!(target(&Method::GET, &from, (status, "/x")), None);
        }
    }
}
