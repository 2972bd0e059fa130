//! The bytes of an answer → the value `body`, as far as anything reads it.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    model::{
        action::Accept,
        http::{CONTENT_TYPE, Fields, Response},
    },
    policy::charset,
    template::{demand::Demand, project},
};

/// What of a body is wanted.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// How it is read.
    pub accept: Accept,
    /// What of it is read.
    pub demand: &'a Demand,
    /// Whether it is a fault if it is not what it should be.
    pub needed: bool,
}

/// Reads the body of a good answer. The error is a sentence for people, with a short excerpt.
pub fn decode(response: &Response, wanted: Wanted<'_>) -> Result<Value, String> {
    if wanted.accept == Accept::Bytes {
        return Ok(STANDARD.encode(&response.body).into());
    }
    let bytes = match charset::bytes(&response.headers, &response.body) {
        Ok(bytes) => bytes,
        Err(_) if !wanted.needed => return Ok(lossy(&response.body)),
        Err(error) => return Err(error.to_string()),
    };
    let bytes = &*bytes;
    match wanted.accept {
        Accept::Bytes | Accept::Text | Accept::Xml => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) if !wanted.needed => Ok(lossy(bytes)),
            Err(_) => Err(charset::Undecoded::Damaged.to_string()),
        },
        Accept::Auto => Ok(json_or_text(bytes)),
        Accept::Json if bytes.iter().all(u8::is_ascii_whitespace) => {
            // 204, 205 and 304 have no body by definition; elsewhere it matters only if read.
            if response.status == 200 && wanted.needed {
                return Err("the answer is empty where JSON was expected".to_owned());
            }
            Ok(Value::Null)
        }
        Accept::Json => match project::decode(bytes, wanted.demand) {
            Ok(value) => Ok(value),
            Err(_) if !wanted.needed => Ok(lossy(bytes)),
            Err(error) => Err(damaged(response, bytes, &error)),
        },
    }
}

/// A body as rules see it: JSON where it is JSON, whatever the step accepts, else a text.
pub fn for_rules(response: &Response) -> Value {
    let bytes = charset::bytes(&response.headers, &response.body);
    let bytes = bytes.unwrap_or(Cow::Borrowed(&response.body));
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Value::Null;
    }
    json_or_text(&bytes)
}

/// Whether an answer says that it is JSON (RFC 6839 for `+json`).
pub fn is_json(response: &Response) -> bool {
    response.headers.text(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "application/json" || kind.ends_with("+json")
    })
}

fn json_or_text(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| lossy(bytes))
}

fn lossy(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

fn damaged(response: &Response, bytes: &[u8], error: &serde_json::Error) -> String {
    if error.to_string().starts_with("recursion limit exceeded") {
        return "the answer is nested too deeply, more than 127 levels".to_owned();
    }
    let kind = response.headers.text(CONTENT_TYPE).unwrap_or("no content type".into());
    let text = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes));
    let excerpt: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    let place = format!("line {}, column {}", error.line(), error.column());
    format!("the answer is not JSON ({kind}; {place}): `{excerpt}`")
}
