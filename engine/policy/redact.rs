//! What may be kept of requests and answers.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;
use url::Url;

use crate::{
    model::{
        http::{self, HeaderMap},
        secret::MASK,
    },
    policy::known::Known,
};

/// Longer bodies are cut.
const LONGEST_BODY: usize = 16 * 1024;

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
            [Value::String(name), value] if known.is_sensitive(name) => mask(value),
            list => list.iter_mut().for_each(|value| json(value, known)),
        },
        Value::Object(map) => {
            // A field as a record: `{"name": "authorization", "value": "Token …"}`.
            let named = ["name", "key", "header"].iter().any(|member| {
                let name = map.get(*member).and_then(Value::as_str);
                name.is_some_and(|name| known.is_sensitive(name))
            });
            for (name, value) in map {
                if known.is_sensitive(name) || (named && name == "value") {
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
pub fn url(url: &Url, known: &Known) -> String {
    // The code of a sign-in is one too; as a member of JSON the word means anything.
    let sensitive = |name: &str| name == "code" || known.is_sensitive(name);
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
            if self.known.is_sensitive(name) {
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
        fn no_member_keeps_a_known_secret(before in ".{0,20}", secret in "[A-Za-z0-9+/=_.~ \"\\\\-]{8,40}", after in ".{0,20}") {
            let known = Known::new([secret.as_str()], []);
            let mut value = value_of!({"a": [format!("{before}{secret}{after}")], "b": {"token": "x"}});
            json(&mut value, &known);
            prop_assert_eq!(&value["b"]["token"], "***");
            prop_assert!(!value["a"][0].as_str().unwrap().contains(&secret));
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
            assert_eq!(url(&Url::parse(text).unwrap(), &Known::default()), expected);
        }
    }

    #[test]
    fn names_of_an_entry_count_as_well() {
        let known = Known::default().with_names(&["iban".to_owned()].into());
        let mut value = value_of!({"IBAN": "x", "owner": {"iban": 5}, "name": "iban"});
        json(&mut value, &known);
        assert_eq!(value, value_of!({"IBAN": "***", "owner": {"iban": "***"}, "name": "iban"}));
        let shown = url(&Url::parse("https://a.test/x?iban=k&y=1").unwrap(), &known);
        assert_eq!(shown, "https://a.test/x?iban=***&y=1");
    }
}
