//! What gets signed within `auth`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::catalog::decode::{Located, Raw};

/// A JSON Web Token that we sign.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertionSpec {
    /// `RS256` by default.
    pub algorithm: Option<AlgorithmSpec>,
    /// The key: PEM, or for `HS256` a shared secret.
    #[schemars(with = "String")]
    pub key: Raw,
    /// `HS256`: how the key is written; `utf8`.
    pub key_encoding: Option<KeyEncodingSpec>,
    /// `kid` of the header.
    #[schemars(with = "Option<String>")]
    pub key_id: Option<Raw>,
    /// A certificate (PEM) whose thumbprint the header names: `x5t#S256`.
    #[schemars(with = "Option<String>")]
    pub certificate: Option<Raw>,
    /// Further members of the header.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub header: Option<Raw>,
    /// The claims; `iat` and `exp` are added.
    #[schemars(with = "Option<BTreeMap<String, Raw>>")]
    pub claims: Option<Raw>,
    /// From `iat` to `exp`; `5m`.
    pub lifetime: Option<Located<String>>,
}

/// How a JSON Web Token is signed.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub enum AlgorithmSpec {
    /// RSA, PKCS #1 v1.5.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA, PSS.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// HMAC.
    #[serde(rename = "HS256")]
    Hs256,
}

/// How the bytes of a shared key are written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyEncodingSpec {
    /// As they are.
    Utf8,
    /// Hexadecimal digits.
    Hex,
    /// Base64, either alphabet.
    Base64,
}

/// OAUTH1: how requests are signed.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub enum SignatureMethodSpec {
    /// RFC 5849, section 3.4.2.
    #[serde(rename = "HMAC-SHA1")]
    HmacSha1,
    /// The same with SHA-256.
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    /// The secrets themselves; over TLS only.
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}

/// SIGNATURE: what is signed, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureSpec {
    /// What is computed.
    pub algorithm: DigestSpec,
    /// The key of a keyed digest.
    #[schemars(with = "Option<String>")]
    pub key: Option<Raw>,
    /// How the key is written; `utf8`.
    pub key_encoding: Option<KeyEncodingSpec>,
    /// How the result is written; `hex`.
    pub encoding: Option<DigestEncodingSpec>,
    /// What is signed, over `request`, `signature`, `credentials`.
    #[schemars(with = "String")]
    pub message: Raw,
    /// How `signature.timestamp` is written; `epoch_s`.
    pub timestamp: Option<TimestampSpec>,
}

/// What a signature computes.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DigestSpec {
    /// Keyed, with SHA-1.
    HmacSha1,
    /// Keyed, with SHA-256.
    HmacSha256,
    /// Keyed, with SHA-512.
    HmacSha512,
    /// Without a key: the secret is part of the message.
    Sha256,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DigestEncodingSpec {
    /// Hexadecimal digits.
    Hex,
    /// Base64.
    Base64,
    /// Base64 for URLs, without padding.
    Base64url,
}

/// How a signature's time is written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimestampSpec {
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// ISO 8601.
    Iso,
    /// A date of HTTP.
    HttpDate,
}
