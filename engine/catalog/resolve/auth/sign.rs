//! What gets signed.

use std::time::Duration;

use crate::{
    catalog::{
        decode::Located,
        resolve::{
            auth::parts::{Within, needs, node_of, text},
            shape::{pairs, span, template},
            symbols::member,
        },
        spec::{
            auth::AuthSpec,
            sign::{
                AlgorithmSpec, AssertionSpec, DigestEncodingSpec, DigestSpec, KeyEncodingSpec,
                SignatureSpec, TimestampSpec,
            },
        },
    },
    diagnostic::Diagnostics,
    model::sign::{
        Algorithm, Assertion, AwsSigv4, Digest, DigestEncoding, KeyEncoding, Signature,
        TimestampFormat,
    },
    template::{
        check::Use,
        knowledge::{Knowledge, Presence},
    },
};

/// Of a token that we sign, unless the blueprint says otherwise.
const LIFETIME: Duration = Duration::from_mins(5);

/// A JSON Web Token that we sign.
pub fn assertion(
    spec: Option<&Located<AssertionSpec>>,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Assertion> {
    let spec = &spec?.value;
    let secret = within.names.secret();
    let key =
        Knowledge::Record { members: vec![member("fingerprint", Knowledge::Leaf)], open: false };
    let claims = secret.clone().with("key", key, Presence::Always);
    let signer = template(&spec.key.0, &secret, Use::Text, diagnostics);
    let key_id = text(spec.key_id.as_ref(), &claims, diagnostics);
    let certificate = text(spec.certificate.as_ref(), &secret, diagnostics);
    let header = pairs(node_of(spec.header.as_ref()), &claims, diagnostics);
    let claims = pairs(node_of(spec.claims.as_ref()), &claims, diagnostics);
    let lifetime = span(spec.lifetime.as_ref(), diagnostics).unwrap_or(LIFETIME);
    Some(Assertion {
        algorithm: match spec.algorithm {
            None | Some(AlgorithmSpec::Rs256) => Algorithm::Rs256,
            Some(AlgorithmSpec::Ps256) => Algorithm::Ps256,
            Some(AlgorithmSpec::Es256) => Algorithm::Es256,
            Some(AlgorithmSpec::Hs256) => Algorithm::Hs256,
        },
        key: signer?,
        key_encoding: encoding(spec.key_encoding),
        key_id,
        certificate,
        header,
        claims,
        lifetime,
    })
}

fn encoding(spec: Option<KeyEncodingSpec>) -> KeyEncoding {
    match spec {
        None | Some(KeyEncodingSpec::Utf8) => KeyEncoding::Utf8,
        Some(KeyEncodingSpec::Hex) => KeyEncoding::Hex,
        Some(KeyEncodingSpec::Base64) => KeyEncoding::Base64,
    }
}

/// `service` and `region`.
pub fn sigv4(
    spec: &AuthSpec,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<AwsSigv4> {
    let mut needed = |raw: Option<&_>, name| {
        if raw.is_none() {
            needs(name, within, diagnostics);
        }
        text(raw, &within.names.secret(), diagnostics)
    };
    let service = needed(spec.service.as_ref(), "service");
    let region = needed(spec.region.as_ref(), "region");
    Some(AwsSigv4 { service: service?, region: region? })
}

/// A signature of the vendor's own invention.
pub fn signature(
    spec: Option<&Located<SignatureSpec>>,
    within: Within<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Signature> {
    let Some(Located { value: spec, .. }) = spec else {
        needs("signature", within, diagnostics);
        return None;
    };
    let record = |names: &[&str]| Knowledge::Record {
        members: names.iter().map(|name| member(name, Knowledge::Leaf)).collect(),
        open: false,
    };
    let request = ["method", "host", "path", "query", "target", "url", "body", "body_sha256"];
    let seen = within.names.secret().with("request", record(&request), Presence::Always).with(
        "signature",
        record(&["timestamp", "nonce"]),
        Presence::Always,
    );
    Some(Signature {
        algorithm: match spec.algorithm {
            DigestSpec::HmacSha1 => Digest::HmacSha1,
            DigestSpec::HmacSha256 => Digest::HmacSha256,
            DigestSpec::HmacSha512 => Digest::HmacSha512,
            DigestSpec::Sha256 => Digest::Sha256,
        },
        key: text(spec.key.as_ref(), &within.names.secret(), diagnostics),
        key_encoding: encoding(spec.key_encoding),
        encoding: match spec.encoding {
            None | Some(DigestEncodingSpec::Hex) => DigestEncoding::Hex,
            Some(DigestEncodingSpec::Base64) => DigestEncoding::Base64,
            Some(DigestEncodingSpec::Base64url) => DigestEncoding::Base64Url,
        },
        message: template(&spec.message.0, &seen, Use::Text, diagnostics)?,
        timestamp: match spec.timestamp {
            None | Some(TimestampSpec::EpochS) => TimestampFormat::EpochSeconds,
            Some(TimestampSpec::EpochMs) => TimestampFormat::EpochMillis,
            Some(TimestampSpec::Iso) => TimestampFormat::Iso,
            Some(TimestampSpec::HttpDate) => TimestampFormat::HttpDate,
        },
    })
}
