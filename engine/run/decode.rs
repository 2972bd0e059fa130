//! The bytes of an answer → the value `body`, as far as anything reads it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    model::{
        action::Accept,
        http::{CONTENT_TYPE, Fields, Response},
    },
    template::{demand::Demand, project},
};

/// Reads a body. The error is a sentence for people, with a short excerpt.
pub fn decode(response: &Response, accept: Accept, demand: &Demand) -> Result<Value, String> {
    let success = (200..300).contains(&response.status);
    let bytes = response.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&response.body);
    match accept {
        Accept::Text | Accept::Xml => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) if !success => Ok(String::from_utf8_lossy(bytes).into()),
            Err(_) => Err("the answer is not UTF-8 text".to_owned()),
        },
        Accept::Auto => {
            Ok(serde_json::from_slice(bytes)
                .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into()))
        }
        Accept::Bytes if success => Ok(STANDARD.encode(bytes).into()),
        Accept::Json | Accept::Bytes if bytes.iter().all(u8::is_ascii_whitespace) => {
            // 204, 205 and 304 have no body by definition; elsewhere it matters only if read.
            let nothing = matches!(demand, Demand::Members(members) if members.is_empty());
            if success && response.status == 200 && !nothing {
                return Err("the answer is empty where JSON was expected".to_owned());
            }
            Ok(Value::Null)
        }
        Accept::Json | Accept::Bytes => match project::decode(bytes, demand) {
            Ok(value) => Ok(value),
            // An error page is not a fault of its own: rules see its text.
            Err(_) if !success => Ok(String::from_utf8_lossy(bytes).into()),
            Err(error) => Err(damaged(response, bytes, &error)),
        },
    }
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
