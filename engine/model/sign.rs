//! What gets signed, and how.

use std::time::Duration;

use crate::model::template::{Shape, Template};

/// A JSON Web Token that we sign (RFC 7519; as client authentication RFC 7523).
#[derive(Debug, Clone)]
pub struct Assertion {
    /// `alg`
    pub algorithm: Algorithm,
    /// The key: PEM, or a shared secret for `HS256`.
    pub key: Template,
    /// How a shared secret is written.
    pub key_encoding: KeyEncoding,
    /// `kid`
    pub key_id: Option<Template>,
    /// Named in the header by its thumbprint, `x5t#S256` (RFC 7515, section 4.1.8).
    pub certificate: Option<Template>,
    /// Further members of the header.
    pub header: Vec<(String, Shape)>,
    /// The claims; `iat` and `exp` are added unless they are given.
    pub claims: Vec<(String, Shape)>,
    /// From `iat` to `exp`.
    pub lifetime: Duration,
}

/// How tokens are signed (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5.
    Rs256,
    /// RSA, PSS.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// HMAC.
    Hs256,
}

impl Algorithm {
    /// As it stands in files and headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }
}

/// How the bytes of a shared key are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyEncoding {
    /// As they are.
    #[default]
    Utf8,
    /// Hexadecimal digits.
    Hex,
    /// Base64, either alphabet.
    Base64,
}

/// RFC 5849, section 3.4; `HMAC-SHA256` as some vendors and others use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureMethod {
    /// Section 3.4.2.
    HmacSha1,
    /// The same with SHA-256.
    HmacSha256,
    /// Section 3.4.4.
    Plaintext,
}

impl SignatureMethod {
    /// As it stands in files and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::Plaintext => "PLAINTEXT",
        }
    }
}

/// What AWS needs to know of a request.
#[derive(Debug, Clone)]
pub struct AwsSigv4 {
    /// Such as `dynamodb`.
    pub service: Template,
    /// Such as `eu-central-1`.
    pub region: Template,
}

/// A signature of the vendor's own invention.
#[derive(Debug, Clone)]
pub struct Signature {
    /// What is computed.
    pub algorithm: Digest,
    /// The key of a keyed digest.
    pub key: Option<Template>,
    /// How the key is written.
    pub key_encoding: KeyEncoding,
    /// How the result is written.
    pub encoding: DigestEncoding,
    /// What is signed: over `request`, `signature`, `credentials`.
    pub message: Template,
    /// How `signature.timestamp` is written.
    pub timestamp: TimestampFormat,
}

/// What a [`Signature`] computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// Keyed, with SHA-1.
    HmacSha1,
    /// Keyed, with SHA-256.
    HmacSha256,
    /// Keyed, with SHA-512.
    HmacSha512,
    /// Without a key: the secret is part of the message.
    Sha256,
}

/// How a [`Signature`] is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestEncoding {
    /// Lower-case hexadecimal digits.
    #[default]
    Hex,
    /// Base64.
    Base64,
    /// Base64 for URLs, without padding.
    Base64Url,
}

/// How `signature.timestamp` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampFormat {
    /// Seconds since 1970.
    #[default]
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// `2023-11-14T22:13:20.000Z`
    Iso,
    /// `Tue, 14 Nov 2023 22:13:20 GMT`
    HttpDate,
}
