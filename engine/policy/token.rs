//! Opaque page tokens: where to go on, signed, so that a caller can neither read nor bend them
//! into a request of his own.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use crate::model::pagination::{Change, Target};

/// The form of the text within.
const VERSION: u8 = 1;
const SIGNATURE: usize = 32;

/// The token is not one of ours, not for this place, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page token is not valid here")]
pub struct Invalid;

/// Where a token is made and used.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Action and step.
    pub about: &'a str,
    /// The base URL: URLs of its origin are kept without it, so that a token outlives a move.
    pub base: &'a Url,
}

/// Seals changes for a place.
pub fn seal(changes: &[Change], Place { about, base }: Place<'_>, key: &[u8; 32]) -> String {
    let list: Vec<Value> = changes.iter().map(|change| write(change, base)).collect();
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(Value::Array(list).to_string().as_bytes());
    let tag = sign(&bytes, about, key);
    bytes.extend_from_slice(tag.as_ref());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Opens a token that was sealed for the same place with the same key.
pub fn open(
    token: &str,
    Place { about, base }: Place<'_>,
    key: &[u8; 32],
) -> Result<Vec<Change>, Invalid> {
    let bytes = URL_SAFE_NO_PAD.decode(token.trim()).map_err(|_| Invalid)?;
    let length = bytes.len().checked_sub(SIGNATURE).ok_or(Invalid)?;
    let (text, tag) = bytes.split_at_checked(length).ok_or(Invalid)?;
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed(text, about), tag)
        .map_err(|_| Invalid)?;
    let text = text.strip_prefix(&[VERSION]).ok_or(Invalid)?;
    let list: Vec<Value> = serde_json::from_slice(text).map_err(|_| Invalid)?;
    list.iter().map(|value| read(value, base).ok_or(Invalid)).collect()
}

fn sign(bytes: &[u8], about: &str, key: &[u8; 32]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed(bytes, about))
}

fn signed(bytes: &[u8], about: &str) -> Vec<u8> {
    [about.as_bytes(), b"\n", bytes].concat()
}

fn write(change: &Change, base: &Url) -> Value {
    match change {
        Change::Url(url) if url.origin() == base.origin() => {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            json!(["path", format!("{}{query}", url.path())])
        }
        Change::Url(url) => json!(["url", url.as_str()]),
        Change::Set(Target::Query(name), value) => json!(["query", name, value]),
        Change::Set(Target::Form(name), value) => json!(["form", name, value]),
        Change::Set(Target::Header(name), value) => json!(["header", name.as_str(), value]),
        Change::Set(Target::Json(path), value) => json!(["json", path, value]),
    }
}

fn read(value: &Value, base: &Url) -> Option<Change> {
    let (kind, place) = (value.get(0)?.as_str()?, value.get(1)?);
    if kind == "path" {
        let (path, query) = match place.as_str()?.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (place.as_str()?, None),
        };
        // Parts are set, not parsed: a path that begins with `//` names no host.
        let mut url = base.clone();
        url.set_path(path);
        url.set_query(query);
        return Some(Change::Url(url));
    }
    if kind == "url" {
        return Some(Change::Url(place.as_str()?.parse().ok()?));
    }
    let name = || place.as_str().map(str::to_owned);
    let target = match kind {
        "query" => Target::Query(name()?),
        "form" => Target::Form(name()?),
        "header" => Target::Header(name()?.parse().ok()?),
        "json" => Target::Json(
            place
                .as_array()?
                .iter()
                .map(|n| n.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    };
    Some(Change::Set(target, value.get(2)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_open_only_where_they_were_made() {
        let changes = vec![
            Change::Set(Target::Query("limit".to_owned()), json!(50)),
            Change::Set(Target::Json(vec!["a".to_owned(), "b".to_owned()]), json!({"k": [1]})),
            Change::Url("https://a.test/x?y=1".parse().unwrap()),
        ];
        let key = [7; 32];
        let base: Url = "https://b.test/v1".parse().unwrap();
        let all = Place { about: "list/all", base: &base };
        let token = seal(&changes, all, &key);
        assert_eq!(open(&token, all, &key), Ok(changes));
        let other = Place { about: "list/other", ..all };
        assert_eq!(open(&token, other, &key), Err(Invalid));
        assert_eq!(open(&token, all, &[8; 32]), Err(Invalid));
        let mut bent = token.clone();
        bent.replace_range(3..4, if &bent[3..4] == "A" { "B" } else { "A" });
        for bad in [bent.as_str(), "", "AA", "https://evil.test"] {
            assert_eq!(open(bad, all, &key), Err(Invalid), "{bad}");
        }
    }

    #[test]
    fn tokens_follow_their_base() {
        let (old, new): (Url, Url) =
            ("http://127.0.0.1:1/v1".parse().unwrap(), "http://127.0.0.1:2/v1".parse().unwrap());
        let next = Change::Url("http://127.0.0.1:1//v1/x?a=b%20c".parse().unwrap());
        let token = seal(&[next], Place { about: "l", base: &old }, &[0; 32]);
        let moved = Change::Url("http://127.0.0.1:2//v1/x?a=b%20c".parse().unwrap());
        assert_eq!(open(&token, Place { about: "l", base: &new }, &[0; 32]), Ok(vec![moved]));
    }
}
