//! The query of a URL: a parameter stands once.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

/// Adds encoded parameters.
pub fn append(url: &mut Url, added: &str) {
    if added.is_empty() {
        return;
    }
    let joined = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{added}"),
        Some(_) | None => added.to_owned(),
    };
    url.set_query(Some(&joined));
}

/// Adds encoded parameters in place of those of the same names: next links repeat what they were
/// asked with, the key included.
pub fn replace(url: &mut Url, added: &str) {
    if let Some(query) = url.query().filter(|query| !query.is_empty())
        && let Cow::Owned(kept) = without(query, added)
    {
        url.set_query(Some(&kept).filter(|kept| !kept.is_empty()).map(String::as_str));
    }
    append(url, added);
}

/// The pairs of an encoded query, as they stand, without those whose names the other one has.
pub fn without<'q>(query: &'q str, other: &str) -> Cow<'q, str> {
    if query.is_empty() || other.is_empty() {
        return Cow::Borrowed(query);
    }
    let names: Vec<String> = pairs(other).map(name).collect();
    if !pairs(query).any(|pair| names.contains(&name(pair))) {
        return Cow::Borrowed(query);
    }
    let kept: Vec<&str> = pairs(query).filter(|pair| !names.contains(&name(pair))).collect();
    Cow::Owned(kept.join("&"))
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

/// The decoded name of a parameter; `a[]` and `a[b]` are parts of `a`.
fn name(pair: &str) -> String {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    let name = percent_decode_str(name).decode_utf8_lossy();
    name.split_once('[').map_or(&*name, |(name, _)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_once() {
        for (query, added, expected) in [
            ("", "key=1", "key=1"),
            ("a=1", "", "a=1"),
            ("a=1&key=2&b=%20", "key=3", "a=1&b=%20&key=3"),
            ("key=2", "key=3", "key=3"),
            ("k%65y=2&a", "key=3", "a&key=3"),
            ("a[]=1&a[]=2&b=1", "a[]=3", "b=1&a[]=3"),
        ] {
            let mut url: Url = format!("https://x.test/?{query}").parse().unwrap();
            replace(&mut url, added);
            assert_eq!(url.query(), Some(expected), "{query} {added}");
        }
    }
}
