//! `mime`: an e-mail as text (RFC 5322, 2045, 2047).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::template::helpers::args::{Args, Complaint};

/// Names of the arguments that are header fields, and their spelling.
const FIELDS: [(&str, &str); 8] = [
    ("from", "From"),
    ("to", "To"),
    ("cc", "Cc"),
    ("bcc", "Bcc"),
    ("reply_to", "Reply-To"),
    ("subject", "Subject"),
    ("in_reply_to", "In-Reply-To"),
    ("references", "References"),
];

/// The whole message. Line breaks in fields become spaces, so that no field can be smuggled in.
pub fn mime(args: &Args<'_>) -> Result<Value, Complaint> {
    let mut out = String::new();
    for (name, spelling) in FIELDS {
        if let Some(value) = args.named(name) {
            let text = field(name, value)?;
            if !text.is_empty() {
                out.push_str(&format!("{spelling}: {text}\r\n"));
            }
        }
    }
    out.push_str("MIME-Version: 1.0\r\n");
    match (args.option("text")?, args.option("html")?) {
        (Some(text), Some(html)) => {
            let boundary = boundary(text, html);
            out.push_str(&format!(
                "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n"
            ));
            for (kind, body) in [("plain", text), ("html", html)] {
                out.push_str(&format!("--{boundary}\r\n"));
                part(&mut out, kind, body);
                out.push_str("\r\n");
            }
            out.push_str(&format!("--{boundary}--\r\n"));
        }
        (text, Some(html)) if text.is_none() => part(&mut out, "html", html),
        (text, _) => part(&mut out, "plain", text.unwrap_or("")),
    }
    Ok(out.into())
}

fn part(out: &mut String, kind: &str, body: &str) {
    out.push_str(&format!(
        "Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    ));
    let encoded = STANDARD.encode(body.as_bytes());
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push_str("\r\n");
        rest = after;
    }
}

/// A text, or a list of them joined by commas.
fn field(name: &str, value: &Value) -> Result<String, Complaint> {
    let one = |value: &Value| {
        value
            .as_str()
            .map(folded)
            .ok_or_else(|| format!("`{name}=` must be a text or a list of texts"))
    };
    match value {
        Value::Array(list) => Ok(list.iter().map(one).collect::<Result<Vec<_>, _>>()?.join(", ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            one(value)
        }
    }
}

/// One line; what is not ASCII as encoded words (RFC 2047) of at most 75 characters.
fn folded(text: &str) -> String {
    let line: String = text
        .split(|c: char| c.is_control())
        .filter(|piece| !piece.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if line.is_ascii() {
        return line;
    }
    // The display name of `Grüße <a@b.c>` is encoded, the address is not.
    if let Some((display, address)) =
        line.rsplit_once('<').filter(|(_, address)| address.is_ascii())
    {
        return format!("{} <{address}", words(display.trim()));
    }
    words(&line)
}

fn words(text: &str) -> String {
    let mut out = Vec::new();
    let mut chunk = String::new();
    for c in text.chars() {
        if chunk.len() + c.len_utf8() > 42 {
            out.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    out.push(chunk);
    let word = |chunk: &String| format!("=?UTF-8?B?{}?=", STANDARD.encode(chunk.as_bytes()));
    out.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A line that stands in neither body; the same message gets the same one.
fn boundary(text: &str, html: &str) -> String {
    let hash =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{text}\0{html}").as_bytes());
    let digits: String = hash.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("part-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cannot_be_smuggled_in_and_words_are_encoded() {
        assert_eq!(folded("Hi\r\nBcc: evil@x.io"), "Hi Bcc: evil@x.io");
        assert_eq!(folded("Grüße"), "=?UTF-8?B?R3LDvMOfZQ==?=");
        assert_eq!(folded("Jürgen <j@x.io>"), "=?UTF-8?B?SsO8cmdlbg==?= <j@x.io>");
        assert!(words(&"ü".repeat(100)).split(' ').all(|word| word.len() <= 75));
    }
}
