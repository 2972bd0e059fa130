//! A JSON Web Token that we sign, and how keys are written.

use std::time::Duration;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            symbols::{Names, record},
            text::{pairs, text},
        },
    },
    model::sign::{Algorithm, Assertion, KeyEncoding},
    template::knowledge::Presence,
};

/// Of a token that we sign, unless the blueprint says otherwise.
const LIFETIME: Duration = Duration::from_mins(5);

/// `assertion`, where it may be left out.
pub fn assertion(o: &mut Object<'_>, names: &Names) -> Option<Assertion> {
    let signed = "A JSON Web Token that we sign, read as `credentials.assertion`.";
    o.optional(key("assertion", signed), token(names))
}

/// A JSON Web Token that we sign.
pub fn token(names: &Names) -> impl Blank<Value = Assertion> {
    let secret = names.secret();
    let claims = secret.clone().with("key", record(&["fingerprint"]), Presence::Always);
    object("Assertion", "A JSON Web Token that we sign.", move |o| {
        let thumbprint = "A certificate (PEM) whose thumbprint the header names: `x5t#S256`.";
        let added = "The claims; `iat` and `exp` are added.";
        Assertion {
            algorithm: o.or(key("algorithm", "How it is signed."), &ALGORITHMS, Algorithm::Rs256),
            key: o
                .needed(key("key", "The key: PEM, or for `HS256` a shared secret."), text(secret)),
            key_encoding: key_encoding(o),
            key_id: o.optional(key("key_id", "`kid` of the header."), text(&claims)),
            certificate: o.optional(key("certificate", thumbprint), text(secret)),
            header: o.or_empty(key("header", "Further members of the header."), pairs(&claims)),
            claims: o.or_empty(key("claims", added), pairs(&claims)),
            lifetime: o.or(key("lifetime", "From `iat` to `exp`."), SPAN, LIFETIME),
        }
    })
}

/// `key_encoding`
pub fn key_encoding(o: &mut Object<'_>) -> KeyEncoding {
    let written = "How the bytes of a shared key are written.";
    o.or(key("key_encoding", written), &ENCODINGS, KeyEncoding::Utf8)
}

static ALGORITHMS: Choices<Algorithm> = Choices {
    name: "Algorithm",
    doc: "How a JSON Web Token is signed.",
    rows: &[
        row("RS256", Algorithm::Rs256, "RSA, PKCS #1 v1.5."),
        row("PS256", Algorithm::Ps256, "RSA, PSS."),
        row("ES256", Algorithm::Es256, "ECDSA on P-256."),
        row("HS256", Algorithm::Hs256, "HMAC."),
    ],
};

static ENCODINGS: Choices<KeyEncoding> = Choices {
    name: "KeyEncoding",
    doc: "How the bytes of a shared key are written.",
    rows: &[
        row("utf8", KeyEncoding::Utf8, "As they are."),
        row("hex", KeyEncoding::Hex, "Hexadecimal digits."),
        row("base64", KeyEncoding::Base64, "Base64, either alphabet."),
    ],
};
