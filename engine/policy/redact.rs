//! What may be kept of requests and answers.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;
use url::Url;

use crate::model::http::{self, HeaderMap};

/// Stands where something was taken out.
const MASK: &str = "***";
/// Longer bodies are cut.
const LONGEST_BODY: usize = 16 * 1024;

/// Names of what holds a secret.
const WHOLE: [&str; 5] = ["authorization", "cookie", "set-cookie", "proxy-authorization", "sig"];
/// What such names have in them.
const PARTS: [&str; 10] = [
    "token",
    "secret",
    "password",
    "passwd",
    "api-key",
    "api_key",
    "apikey",
    "signature",
    "credential",
    "private",
];
/// Cursors of pagination are called tokens too, and are worth seeing.
const CURSORS: [&str; 7] = [
    "pagetoken",
    "nextpagetoken",
    "page_token",
    "next_page_token",
    "$skiptoken",
    "skiptoken",
    "continuationtoken",
];

/// Whether a header, parameter or member of this name may hold a secret. Letters count in either
/// case.
pub fn is_sensitive(name: &str) -> bool {
    let is = |known: &&str| name.eq_ignore_ascii_case(known);
    let has = |part: &str| {
        let mut windows = name.as_bytes().windows(part.len());
        windows.any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    };
    (WHOLE.iter().any(|known| is(known)) || PARTS.iter().any(|part| has(part)))
        && !CURSORS.iter().any(|known| is(known))
}

/// Takes known secrets out of a text.
pub fn values<'s>(text: &str, secrets: impl Iterator<Item = &'s str>) -> String {
    let mut text = text.to_owned();
    for secret in secrets.filter(|secret| secret.len() >= 6) {
        if text.contains(secret) {
            text = text.replace(secret, MASK);
        }
        for encoded in encodings(secret) {
            if encoded != secret && text.contains(&encoded) {
                text = text.replace(&encoded, MASK);
            }
        }
    }
    text
}

/// How a secret looks in paths, queries and forms, ours and others'.
fn encodings(secret: &str) -> [String; 3] {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    [
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(secret, RESERVED).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
    ]
}

/// Takes known secrets and sensitive members out of a JSON value.
pub fn json(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => {
            if secrets.iter().any(|secret| secret.len() >= 6 && text.contains(secret)) {
                *text = values(text, secrets.iter().copied());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| json(value, secrets)),
        Value::Object(map) => {
            for (name, value) in map {
                if is_sensitive(name) && !value.is_null() {
                    *value = MASK.into();
                } else {
                    json(value, secrets);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A URL as it may be kept: no userinfo, sensitive parameters masked.
pub fn url(url: &Url) -> String {
    // The code of a sign-in is one too; as a member of JSON the word means anything.
    let sensitive = |name: &str| name == "code" || is_sensitive(name);
    let masked = url.query_pairs().any(|(name, _)| sensitive(&name));
    if !masked && url.username().is_empty() && url.password().is_none() {
        return url.as_str().to_owned();
    }
    let mut text = format!("{}{}", url.origin().ascii_serialization(), url.path());
    for (position, pair) in url.query().unwrap_or_default().split('&').enumerate() {
        text.push(if position == 0 { '?' } else { '&' });
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        text.push_str(name);
        text.push('=');
        text.push_str(if sensitive(name) { MASK } else { value });
    }
    text
}

/// Header fields as an object, sensitive ones masked. Of a field that comes again, the last value.
pub struct Headers<'a> {
    /// The fields.
    pub fields: &'a HeaderMap,
    /// What is taken out of their values.
    pub secrets: Vec<&'a str>,
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.fields.keys().map(|name| {
            let name = name.as_str();
            if is_sensitive(name) {
                return (name, Cow::Borrowed(MASK));
            }
            let value = self.fields.get_all(name).into_iter().next_back();
            let value = value.map(http::text).unwrap_or_default();
            if self.secrets.iter().any(|secret| value.contains(secret)) {
                return (name, values(&value, self.secrets.iter().copied()).into());
            }
            (name, value)
        }))
    }
}

/// A body as it may be kept: JSON with members masked, or text; cut.
pub fn body(bytes: &[u8], secrets: &[&str]) -> Value {
    if bytes.len() <= LONGEST_BODY
        && let Ok(mut value) = serde_json::from_slice::<Value>(bytes)
    {
        json(&mut value, secrets);
        return value;
    }
    let cut = bytes.get(..LONGEST_BODY).unwrap_or(bytes);
    let mut text = values(&String::from_utf8_lossy(cut), secrets.iter().copied());
    if cut.len() < bytes.len() {
        text.push_str(&format!(" … ({} bytes in all)", bytes.len()));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_known_secret_never_stays(before in ".{0,20}", secret in "[A-Za-z0-9+/=_.~ -]{6,40}", after in ".{0,20}") {
            let text = format!("{before}{secret}{after}");
            prop_assert!(!values(&text, [secret.as_str()].into_iter()).contains(&secret));
            let mut value = serde_json::json!({"a": [text], "b": {"token": "x"}});
            json(&mut value, &[&secret]);
            prop_assert_eq!(&value["b"]["token"], "***");
            prop_assert!(!value["a"][0].as_str().unwrap().contains(&secret));
        }
    }

    #[test]
    fn urls_lose_what_is_sensitive() {
        for (text, expected) in [
            ("https://u:p@a.test/x?y=1", "https://a.test/x?y=1"),
            ("https://a.test/x?api_key=k&y=1", "https://a.test/x?api_key=***&y=1"),
            ("https://a.test/x?$skiptoken=A", "https://a.test/x?$skiptoken=A"),
        ] {
            assert_eq!(url(&Url::parse(text).unwrap()), expected);
        }
    }
}
