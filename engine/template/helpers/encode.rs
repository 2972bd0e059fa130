//! `json parse_json number string base64 base64url hex sha256 hmac_sha256 url_encode`

use aws_lc_rs::{digest, hmac};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Number, Value};

use crate::template::helpers::args::{Args, Complaint};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A JSON text → its value.
pub fn parse_json(args: &Args<'_>) -> Result<Value, Complaint> {
    serde_json::from_str(&args.text(0)?).map_err(|_| "the text is not JSON".to_owned())
}

/// A text → a number, digits kept.
pub fn number(args: &Args<'_>) -> Result<Value, Complaint> {
    let text = args.text(0)?;
    serde_json::from_str::<Number>(text.trim())
        .map(Value::Number)
        .map_err(|_| "the text is no number".to_owned())
}

/// Percent-encoded.
pub fn url(args: &Args<'_>) -> Result<Value, Complaint> {
    Ok(utf8_percent_encode(&args.text(0)?, UNRESERVED).to_string().into())
}

/// `base64`
pub fn base64(args: &Args<'_>) -> Result<Value, Complaint> {
    Ok(STANDARD.encode(args.text(0)?.as_bytes()).into())
}

/// `base64url`, without padding (RFC 4648, section 5).
pub fn base64url(args: &Args<'_>) -> Result<Value, Complaint> {
    Ok(URL_SAFE_NO_PAD.encode(args.text(0)?.as_bytes()).into())
}

/// `hex`
pub fn hex(args: &Args<'_>) -> Result<Value, Complaint> {
    Ok(digits(args.text(0)?.as_bytes()).into())
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(args: &Args<'_>) -> Result<Value, Complaint> {
    written(args, digest::digest(&digest::SHA256, args.text(0)?.as_bytes()).as_ref())
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(args: &Args<'_>) -> Result<Value, Complaint> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, args.text(0)?.as_bytes());
    written(args, hmac::sign(&key, args.text(1)?.as_bytes()).as_ref())
}

fn written(args: &Args<'_>, bytes: &[u8]) -> Result<Value, Complaint> {
    Ok(match args.option("encoding")?.unwrap_or("hex") {
        "hex" => digits(bytes),
        "base64" => STANDARD.encode(bytes),
        "base64url" => URL_SAFE_NO_PAD.encode(bytes),
        _ => return Err("`encoding=` must be hex, base64 or base64url".to_owned()),
    }
    .into())
}

fn digits(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
