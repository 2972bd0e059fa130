//! Encodings and digests of text: `base64 base64url hex sha256 hmac_sha256 url_encode`.

use aws_lc_rs::{digest, hmac};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    template::functions::args::{Args, Outcome, bounded},
    value,
};

/// Everything but the unreserved characters of RFC 3986, 2.3.
pub const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// RFC 4648, section 4.
pub fn base64(args: &mut Args<'_>) -> Outcome {
    Ok(Some(STANDARD.encode(args.text(0)?.as_bytes()).into()))
}

/// RFC 4648, section 5, without padding.
pub fn base64url(args: &mut Args<'_>) -> Outcome {
    Ok(Some(URL_SAFE_NO_PAD.encode(args.text(0)?.as_bytes()).into()))
}

/// Two small hexadecimal digits a byte.
pub fn hex(args: &mut Args<'_>) -> Outcome {
    let text = args.text(0)?;
    bounded(text.len() * 2)?;
    Ok(Some(value::hex::encode(text.as_bytes()).into()))
}

/// SHA-256 of text.
pub fn sha256(args: &mut Args<'_>) -> Outcome {
    let digest = digest::digest(&digest::SHA256, args.text(0)?.as_bytes());
    written(digest.as_ref(), args)
}

/// HMAC with SHA-256 of text.
pub fn hmac_sha256(args: &mut Args<'_>) -> Outcome {
    let key = hmac::Key::new(hmac::HMAC_SHA256, args.text(0)?.as_bytes());
    let tag = hmac::sign(&key, args.text(1)?.as_bytes());
    written(tag.as_ref(), args)
}

/// Percent-encoded, for URLs inside of text; places of a request encode by themselves.
pub fn url_encode(args: &mut Args<'_>) -> Outcome {
    Ok(Some(utf8_percent_encode(&args.text(0)?, RESERVED).to_string().into()))
}

fn written(bytes: &[u8], args: &Args<'_>) -> Outcome {
    let text = match args.choice("encoding", &["hex", "base64", "base64url"])? {
        "base64" => STANDARD.encode(bytes),
        "base64url" => URL_SAFE_NO_PAD.encode(bytes),
        _ => value::hex::encode(bytes),
    };
    Ok(Some(text.into()))
}
