//! `mime`: a message by RFC 5322, with encoded words by RFC 2047. No value can add a header.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    template::functions::args::{Args, MAX_TEXT, Outcome, bounded, kind, text_of},
    value,
};

/// The header fields that can be given, by argument.
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

/// All arguments of `mime`.
pub const ARGUMENTS: &[&str] = &[
    "from",
    "to",
    "cc",
    "bcc",
    "reply_to",
    "subject",
    "in_reply_to",
    "references",
    "text",
    "html",
];

/// A whole message; with both `text` and `html` it is `multipart/alternative`.
pub fn mime(args: &mut Args<'_>) -> Outcome {
    let mut message = String::new();
    for (name, field) in FIELDS {
        let Some(value) = header(args, name)? else { continue };
        let value = match name {
            "subject" => phrase(&value),
            "in_reply_to" | "references" => value,
            _ => addresses(&value),
        };
        message.extend([field, ": ", &value, "\r\n"]);
    }
    message.push_str("MIME-Version: 1.0\r\n");
    let (text, html) = (args.option_text("text")?, args.option_text("html")?);
    bounded(text.as_ref().map_or(0, |t| t.len()) + html.as_ref().map_or(0, |t| t.len()))?;
    match (text, html) {
        (Some(text), Some(html)) => {
            let boundary = boundary(&text, &html);
            message.push_str("Content-Type: multipart/alternative; boundary=\"");
            message.extend([boundary.as_str(), "\"\r\n\r\n--", &boundary, "\r\n"]);
            part(&mut message, "plain", &text);
            message.extend(["--", &boundary, "\r\n"]);
            part(&mut message, "html", &html);
            message.extend(["--", &boundary, "--\r\n"]);
        }
        (None, Some(html)) => part(&mut message, "html", &html),
        (text, None) => part(&mut message, "plain", &text.unwrap_or_default()),
    }
    Ok(Some(message.into()))
}

/// A header value on one line: each run of line ends becomes one space.
fn header(args: &Args<'_>, name: &str) -> Result<Option<String>, String> {
    let text = match args.option(name) {
        Some(Value::Array(list)) => {
            let mut all = Vec::with_capacity(list.len());
            for item in list {
                all.push(text_of(item).ok_or_else(|| {
                    format!("`{name}` must be a list of strings, not of {}", kind(item))
                })?);
            }
            all.join(", ")
        }
        _ => match args.option_text(name)? {
            Some(text) => text.into_owned(),
            None => return Ok(None),
        },
    };
    bounded(text.len())?;
    let lines = text.split(['\r', '\n', '\0', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
    let folded = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    Ok(Some(folded.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Text, as encoded words if it has to be: not ASCII, or longer than a line.
fn phrase(text: &str) -> String {
    let plain = text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t')) && text.len() <= 900;
    if plain && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut chunk = String::new();
    for c in text.chars() {
        // 36 bytes are 48 of base64: with frame and name a line stays under 76 (RFC 2047, 2).
        if chunk.len() + c.len_utf8() > 36 {
            words.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    words.push(chunk);
    let word = |chunk: &String| format!("=?UTF-8?B?{}?=", STANDARD.encode(chunk));
    words.iter().map(word).collect::<Vec<_>>().join("\r\n ")
}

/// A list of addresses: names are phrases, addresses stay as they are.
fn addresses(text: &str) -> String {
    let one = |address: &str| match address.rsplit_once('<') {
        Some((name, rest)) if !name.trim().is_empty() && !name.is_ascii() => {
            format!("{} <{rest}", phrase(name.trim().trim_matches('"')))
        }
        _ => address.to_owned(),
    };
    separate(text).into_iter().map(|address| one(address.trim())).collect::<Vec<_>>().join(",\r\n ")
}

/// Cuts at commas outside of quotes.
fn separate(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .collect()
}

/// The headers and body of one part.
fn part(message: &mut String, subtype: &str, text: &str) {
    message.extend(["Content-Type: text/", subtype, "; charset=utf-8\r\n"]);
    message.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    let body = STANDARD.encode(text);
    message.reserve(body.len().min(MAX_TEXT * 2) / 76 * 78);
    let mut rest = body.as_str();
    while let Some((line, more)) = rest.split_at_checked(76) {
        message.push_str(line);
        message.push_str("\r\n");
        rest = more;
    }
    message.push_str(rest);
    message.push_str("\r\n");
}

/// A boundary that the parts, being base64, cannot contain; the same for the same message.
fn boundary(text: &str, html: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(text.as_bytes());
    context.update(html.as_bytes());
    let digest = value::hex::encode(context.finish().as_ref());
    format!("part_{}", digest.get(..24).unwrap_or_default())
}
