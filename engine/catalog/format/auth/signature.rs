//! `SIGNATURE`: a signature over the request.

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                mode::{Mode, nothing},
                sign::key_encoding,
            },
            symbols::{Names, record},
            text::text,
        },
    },
    model::{
        auth::AuthMode,
        sign::{Digest, DigestEncoding, Signature, TimestampFormat},
    },
    template::knowledge::Presence,
};

/// A signature over the request.
pub static SIGNATURE: Mode =
    Mode { read: mode, credentials: nothing, holds: &[], bears_token: false };

fn mode(o: &mut Object<'_>, names: &Names) -> AuthMode {
    let what = "What is signed, and how.";
    let signed = object("Signature", what, |o| signature(o, names));
    AuthMode::Signature(Box::new(o.needed(key("signature", what), signed)))
}

fn signature(o: &mut Object<'_>, names: &Names) -> Signature {
    let request = ["method", "host", "path", "query", "target", "url", "body", "body_sha256"];
    let secret = names.secret();
    let seen = secret.clone().with("request", record(&request), Presence::Always).with(
        "signature",
        record(&["timestamp", "nonce"]),
        Presence::Always,
    );
    let message = "What is signed, over `request`, `signature`, `credentials`.";
    let timestamp = key("timestamp", "How `signature.timestamp` is written.");
    Signature {
        algorithm: o.choice(key("algorithm", "What is computed."), &DIGESTS, Digest::Sha256),
        key: o.optional(key("key", "The key of a keyed digest."), text(secret)),
        key_encoding: key_encoding(o),
        encoding: o.or(
            key("encoding", "How the result is written."),
            &ENCODINGS,
            DigestEncoding::Hex,
        ),
        message: o.needed(key("message", message), text(&seen)),
        timestamp: o.or(timestamp, &TIMESTAMPS, TimestampFormat::EpochSeconds),
    }
}

static DIGESTS: Choices<Digest> = Choices {
    name: "Digest",
    doc: "What a signature computes.",
    rows: &[
        row("hmac_sha1", Digest::HmacSha1, "Keyed, with SHA-1."),
        row("hmac_sha256", Digest::HmacSha256, "Keyed, with SHA-256."),
        row("hmac_sha512", Digest::HmacSha512, "Keyed, with SHA-512."),
        row("sha256", Digest::Sha256, "Without a key: the secret is part of the message."),
    ],
};

static ENCODINGS: Choices<DigestEncoding> = Choices {
    name: "DigestEncoding",
    doc: "How a signature is written.",
    rows: &[
        row("hex", DigestEncoding::Hex, "Hexadecimal digits."),
        row("base64", DigestEncoding::Base64, "Base64."),
        row("base64url", DigestEncoding::Base64Url, "Base64 for URLs, without padding."),
    ],
};

static TIMESTAMPS: Choices<TimestampFormat> = Choices {
    name: "Timestamp",
    doc: "How a signature's time is written.",
    rows: &[
        row("epoch_s", TimestampFormat::EpochSeconds, "Seconds since 1970."),
        row("epoch_ms", TimestampFormat::EpochMillis, "Milliseconds since 1970."),
        row("iso", TimestampFormat::Iso, "ISO 8601."),
        row("http_date", TimestampFormat::HttpDate, "A date of HTTP."),
    ],
};
