//! Where a request to the proxy goes: always to the origin of the blueprint's base URL.

use url::Url;

/// The request names another origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere(pub String);

/// The path and query relative to the base URL. `raw` is what stands behind `/proxy`, byte for
/// byte; it may be a whole URL below the base, as vendors' next links are. `instead` replaces the
/// base URL by another below it.
pub fn endpoint(raw: &str, base: Option<&str>, instead: Option<&str>) -> Result<String, Elsewhere> {
    let prefix = match instead.filter(|text| !text.is_empty()) {
        None => String::new(),
        Some(text) => below(text, base).ok_or_else(|| Elsewhere(text.to_owned()))?,
    };
    let prefix = prefix.trim_end_matches('/');
    let relative = raw.trim_start_matches('/');
    let scheme = relative.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if matches!(scheme.as_deref(), Some("http" | "https")) {
        let (url, query) = relative.split_once('?').map_or((relative, None), |(u, q)| (u, Some(q)));
        let path = below(url, base).ok_or_else(|| Elsewhere(url.to_owned()))?;
        let path = if path.is_empty() { "/".to_owned() } else { path };
        return Ok(query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")));
    }
    let raw = if raw.starts_with('/') { raw.to_owned() } else { format!("/{raw}") };
    Ok(format!("{prefix}{raw}"))
}

/// The path of a URL below the base URL: of the same origin, and not beside its path.
fn below(text: &str, base: Option<&str>) -> Option<String> {
    let (url, base) = (Url::parse(text).ok()?, Url::parse(base?).ok()?);
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !plain || url.origin() != base.origin() || url.query().is_some() {
        return None;
    }
    let rest = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Option<&str> = Some("https://api.acme.test/v1");

    #[test]
    fn a_path_stays_as_it_is_written() {
        for (raw, instead, path) in [
            ("/me", None, "/me"),
            ("/a%2Fb?x=%FF&y=a+b", None, "/a%2Fb?x=%FF&y=a+b"),
            ("/me", Some(""), "/me"),
            ("/me?u=https://x.test/", None, "/me?u=https://x.test/"),
            ("/https://api.acme.test/v1/things?cursor=a%2Fb", None, "/things?cursor=a%2Fb"),
            ("/HTTPS://API.acme.test/v1", None, "/"),
            ("/me", Some("https://api.acme.test/v1"), "/me"),
            ("/me", Some("https://api.acme.test/v1/beta/"), "/beta/me"),
        ] {
            assert_eq!(endpoint(raw, BASE, instead).as_deref(), Ok(path), "{raw} {instead:?}");
        }
    }

    #[test]
    fn nothing_leads_to_another_origin() {
        for (raw, instead) in [
            ("/https://evil.test/v1/things", None),
            ("/https://api.acme.test:444/v1/x", None),
            ("/http://api.acme.test/v1/x", None),
            ("/https://api.acme.test@evil.test/v1/x", None),
            ("/https://user@api.acme.test/v1/x", None),
            ("/https:\\\\evil.test/v1", None),
            ("/https://api.acme.test/v10/x", None),
            ("/https://api.acme.test/v1/../v2", None),
            ("/me", Some("https://evil.test/v1")),
            ("/me", Some("https://api.acme.test")),
            ("/me", Some("https://api.acme.test/v1?x=")),
            ("/me", Some("//api.acme.test/v1")),
            ("/me", Some("nonsense")),
        ] {
            assert!(endpoint(raw, BASE, instead).is_err(), "{raw} {instead:?}");
        }
        // Where the base URL depends on the connection, nobody can say what is below it.
        assert!(endpoint("/me", None, Some("https://api.acme.test/v1")).is_err());
        assert_eq!(endpoint("/me", None, None).as_deref(), Ok("/me"));
    }
}
