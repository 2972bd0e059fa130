//! What may be kept of requests and answers.

use std::borrow::Cow;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde::{Serialize, Serializer};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use crate::model::http::{self, HeaderMap};

/// Stands where something was taken out.
const MASK: &str = "***";
/// Longer bodies are cut.
const LONGEST_BODY: usize = 16 * 1024;

/// Names of what holds a secret.
const WHOLE: [&str; 5] = ["authorization", "cookie", "set-cookie", "proxy-authorization", "sig"];
/// What such names have in them.
const PARTS: [&str; 13] = [
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
    "assertion",
    "verifier",
    "device_code",
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
    (WHOLE.iter().any(&is) || PARTS.iter().any(|part| has(part))) && !CURSORS.iter().any(is)
}

/// Shorter texts are taken out only where they stand alone: they would black out parts of words.
const SHORT: usize = 8;
/// Shorter ones hide nothing from anyone.
const SHORTEST: usize = 4;

/// Secrets that are known, in all the forms in which requests and answers hold them. Wiped when it
/// is dropped.
#[derive(Default)]
pub struct Known {
    /// The longest first, so that no part of one is left.
    forms: Zeroizing<Vec<String>>,
    /// Of the shortest form: texts that are shorter still hold none.
    least: usize,
}

impl Known {
    /// `secrets`, and the pairs of name and password that are sent as HTTP Basic credentials.
    pub fn new<'s>(
        secrets: impl IntoIterator<Item = &'s str>,
        pairs: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets {
            forms.extend(encodings(secret));
        }
        for (name, password) in pairs.into_iter().filter(|(_, password)| !password.is_empty()) {
            let pair = Zeroizing::new(format!("{name}:{password}"));
            forms.push(STANDARD_NO_PAD.encode(pair.as_bytes()));
            forms.push(URL_SAFE_NO_PAD.encode(pair.as_bytes()));
        }
        let mut known = Self { forms: Zeroizing::new(forms), least: 0 };
        known.order();
        known
    }

    /// One more.
    pub fn add(&mut self, secret: &str) {
        self.forms.extend(encodings(secret));
        self.order();
    }

    fn order(&mut self) {
        self.forms.retain(|form| form.len() >= SHORTEST);
        self.forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.forms.dedup();
        self.least = self.forms.last().map_or(0, String::len);
    }

    /// The text without them; borrowed if there are none in it.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut hidden = Cow::Borrowed(text);
        if self.forms.is_empty() || text.len() < self.least {
            return hidden;
        }
        for form in self.forms.iter().filter(|form| form.len() <= text.len()) {
            if !hidden.contains(form.as_str()) {
                continue;
            }
            hidden = Cow::Owned(if form.len() < SHORT {
                alone(&hidden, form)
            } else {
                hidden.replace(form.as_str(), MASK)
            });
        }
        hidden
    }
}

/// Takes out a word where it stands alone.
fn alone(text: &str, word: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        let joined = before.chars().next_back().or(out.chars().next_back()).is_some_and(part)
            || after.chars().next().is_some_and(part);
        out.push_str(before);
        out.push_str(if joined { word } else { MASK });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// How a secret looks in paths, queries, forms, headers and JSON, ours and others'.
fn encodings(secret: &str) -> Vec<String> {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let quoted = Value::from(secret).to_string();
    let mut forms = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(secret, RESERVED).to_string(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned(),
    ];
    if secret.len() >= SHORTEST {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.extend([hex.to_ascii_uppercase(), hex]);
        // Without padding: what is found with it is found without it.
        forms.push(STANDARD_NO_PAD.encode(secret));
        forms.push(URL_SAFE_NO_PAD.encode(secret));
    }
    forms
}

/// Takes known secrets and sensitive members out of a JSON value.
pub fn json(value: &mut Value, known: &Known) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(hidden) = known.hide(text) {
                *text = hidden;
            }
        }
        // A field as a pair: `["authorization", "Token …"]`.
        Value::Array(list) => match list.as_mut_slice() {
            [Value::String(name), value] if is_sensitive(name) => mask(value),
            list => list.iter_mut().for_each(|value| json(value, known)),
        },
        Value::Object(map) => {
            // A field as a record: `{"name": "authorization", "value": "Token …"}`.
            let named = ["name", "key", "header"]
                .iter()
                .any(|member| map.get(*member).and_then(Value::as_str).is_some_and(is_sensitive));
            for (name, value) in map {
                if is_sensitive(name) || (named && name == "value") {
                    mask(value);
                } else {
                    json(value, known);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn mask(value: &mut Value) {
    if !value.is_null() {
        *value = MASK.into();
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
        let decoded = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        text.push_str(if sensitive(&decoded) { MASK } else { value });
    }
    text
}

/// A URL of which no parameter may be kept: it may be signed, under any names.
pub fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Header fields as an object, sensitive ones masked. Of a field that comes again, the last value.
pub struct Headers<'a> {
    /// The fields.
    pub fields: &'a HeaderMap,
    /// What is taken out of their values.
    pub known: &'a Known,
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
            let hidden = match self.known.hide(&value) {
                Cow::Owned(hidden) => Some(hidden),
                Cow::Borrowed(_) => None,
            };
            (name, hidden.map_or(value, Cow::Owned))
        }))
    }
}

/// A body as it may be kept: JSON with members masked, or text; cut.
pub fn body(bytes: &[u8], known: &Known) -> Value {
    if bytes.len() <= LONGEST_BODY
        && let Ok(mut value) = serde_json::from_slice::<Value>(bytes)
    {
        json(&mut value, known);
        return value;
    }
    let cut = bytes.get(..LONGEST_BODY).unwrap_or(bytes);
    let mut text = known.hide(&String::from_utf8_lossy(cut)).into_owned();
    if cut.len() < bytes.len() {
        text.push_str(&format!(" … ({} bytes in all)", bytes.len()));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json as value_of;

    use super::*;

    proptest! {
        #[test]
        fn a_known_secret_never_stays(before in ".{0,20}", secret in "[A-Za-z0-9+/=_.~ \"\\\\-]{8,40}", after in ".{0,20}") {
            let known = Known::new([secret.as_str()], []);
            let text = format!("{before}{secret}{after}");
            prop_assert!(!known.hide(&text).contains(&secret));
            for form in encodings(&secret) {
                let text = format!("{before}{form}{after}");
                prop_assert!(!known.hide(&text).contains(&form));
            }
            let mut value = value_of!({"a": [text], "b": {"token": "x"}});
            json(&mut value, &known);
            prop_assert_eq!(&value["b"]["token"], "***");
            prop_assert!(!value["a"][0].as_str().unwrap().contains(&secret));
        }
    }

    #[test]
    fn what_is_derived_from_a_secret_goes_too() {
        let known = Known::new(["s3cr3t+word", "1234"], [("ann", "s3cr3t+word")]);
        for (text, expected) in [
            ("Basic YW5uOnMzY3IzdCt3b3Jk", "Basic ***"),
            ("czNjcjN0K3dvcmQ=", "***="),
            ("q=s3cr3t%2Bword&x=1", "q=***&x=1"),
            ("733363723374 2b 7333637233742b776f7264", "733363723374 2b ***"),
            ("733363723374 733363723374", "733363723374 733363723374"),
            ("pin 1234, not 12345 or a1234", "pin ***, not 12345 or a1234"),
            ("pin=1234", "pin=***"),
            ("plain", "plain"),
        ] {
            assert_eq!(known.hide(text), expected);
        }
    }

    #[test]
    fn fields_are_known_by_their_shape() {
        let none = Known::default();
        for (mut value, expected) in [
            (value_of!([["authorization", "Token x"]]), value_of!([["authorization", "***"]])),
            (
                value_of!({"name": "Cookie", "value": "x"}),
                value_of!({"name": "Cookie", "value": "***"}),
            ),
            (value_of!({"name": "Ann", "value": "x"}), value_of!({"name": "Ann", "value": "x"})),
            (
                value_of!({"client_assertion": "x", "code": 7}),
                value_of!({"client_assertion": "***", "code": 7}),
            ),
            (value_of!(["token", null]), value_of!(["token", null])),
        ] {
            json(&mut value, &none);
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn urls_lose_what_is_sensitive() {
        for (text, expected) in [
            ("https://u:p@a.test/x?y=1", "https://a.test/x?y=1"),
            ("https://a.test/x?api_key=k&y=1", "https://a.test/x?api_key=***&y=1"),
            ("https://a.test/x?api%5Fkey=k", "https://a.test/x?api%5Fkey=***"),
            ("https://a.test/x?$skiptoken=A", "https://a.test/x?$skiptoken=A"),
        ] {
            assert_eq!(url(&Url::parse(text).unwrap()), expected);
        }
    }
}
