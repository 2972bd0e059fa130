//! Signatures on finished requests. Date and nonce are made once a request, so that every place
//! that shows them shows the same.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    auth::scope::key_bytes,
    model::{
        auth::OAuth1,
        http::{AUTHORIZATION, Fields, Request},
        sign::{AwsSigv4, Digest, DigestEncoding, Signature, TimestampFormat},
        time::Timestamp,
    },
    sign::{
        digest::{hmac_sha1, hmac_sha256, hmac_sha512, sha256},
        oauth1, sigv4,
    },
    template::{self, Fault, Scope},
    value::hex,
};

/// `Authorization: OAuth …` (RFC 5849, section 3.5.1).
pub fn oauth1(
    request: &mut Request,
    mode: &OAuth1,
    (scope, nonce): (&Scope<'_>, &str),
) -> Result<(), Fault> {
    let credentials = scope.get("credentials");
    let field = |name: &str| {
        credentials.and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or_default()
    };
    let realm = match &mode.realm {
        Some(template) => template::text(template, scope)?,
        None => None,
    };
    let signer = oauth1::Signer {
        method: mode.signature_method,
        consumer_key: field("client_id"),
        consumer_secret: field("client_secret"),
        token: Some((field("oauth_token"), field("oauth_token_secret"))),
        realm: realm.as_deref(),
        nonce,
        timestamp: scope.now.0.div_euclid(1000),
        more: &[],
    };
    let header = signer.header(request.method.as_str(), &request.url, &form(request)?);
    request.headers.insert(AUTHORIZATION, header.try_into()?);
    Ok(())
}

/// The fields of a form body (RFC 5849, section 3.4.1.3.1).
fn form(request: &Request) -> Result<Vec<(String, String)>, Fault> {
    let kind = request.headers.text("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(Vec::new());
    }
    Ok(url::form_urlencoded::parse(&held(request)?).into_owned().collect())
}

/// AWS Signature Version 4.
pub fn sigv4(request: &mut Request, mode: &AwsSigv4, scope: &Scope<'_>) -> Result<(), Fault> {
    let credentials = scope.get("credentials");
    let field = |name: &str| credentials.and_then(|all| all.get(name)).and_then(Value::as_str);
    let service = template::text(&mode.service, scope)?.unwrap_or_default();
    let region = template::text(&mode.region, scope)?.unwrap_or_default();
    let signer = sigv4::Signer {
        access_key_id: field("access_key_id").unwrap_or_default(),
        secret_access_key: field("secret_access_key").unwrap_or_default(),
        session_token: field("session_token").filter(|token| !token.is_empty()),
        region: &region,
        service: &service,
        now: scope.now,
    };
    // Of all services S3 alone takes a body that is not signed.
    let body = if service == "s3" { request.body.held() } else { Some(held(request)?) };
    signer.sign(request.method.as_str(), &request.url, &mut request.headers, body.as_deref())?;
    Ok(())
}

/// The body of a request, for whoever has to see all of it.
pub fn held(request: &Request) -> Result<Bytes, Fault> {
    request.body.held().ok_or_else(|| {
        Fault::new("this API's requests are signed or completed by their body, and this one is too large to be held")
    })
}

/// The root `signature` of a vendor's own scheme: `value`, `timestamp`, `nonce`.
pub fn own(
    request: &Request,
    mode: &Signature,
    (scope, nonce): (&Scope<'_>, &str),
) -> Result<Value, Fault> {
    let timestamp = stamp(scope.now, mode.timestamp);
    let body = held(request)?;
    let url = &request.url;
    let query = url.query().unwrap_or_default();
    let target = match query {
        "" => url.path().to_owned(),
        query => format!("{}?{query}", url.path()),
    };
    let facts = json!({
        "method": request.method.as_str(),
        "host": url.host_str(),
        "path": url.path(),
        "query": query,
        "target": target,
        "url": url.as_str(),
        "body": String::from_utf8_lossy(&body),
        "body_sha256": hex::encode(&sha256(&body)),
    });
    let known = json!({"timestamp": timestamp, "nonce": nonce});
    let seen = scope.clone().with("request", &facts).with("signature", &known);
    let message = template::text(&mode.message, &seen)?.unwrap_or_default();
    let key = match &mode.key {
        Some(template) => {
            let text = template::text(template, scope)?.unwrap_or_default();
            key_bytes(&text, mode.key_encoding)?
        }
        None => Vec::new(),
    };
    let message = message.as_bytes();
    let bytes = match mode.algorithm {
        Digest::HmacSha1 => hmac_sha1(&key, message),
        Digest::HmacSha256 => hmac_sha256(&key, message),
        Digest::HmacSha512 => hmac_sha512(&key, message),
        Digest::Sha256 => sha256(message).to_vec(),
    };
    let value = match mode.encoding {
        DigestEncoding::Hex => hex::encode(&bytes),
        DigestEncoding::Base64 => STANDARD.encode(bytes),
        DigestEncoding::Base64Url => URL_SAFE_NO_PAD.encode(bytes),
    };
    Ok(json!({"value": value, "timestamp": timestamp, "nonce": nonce}))
}

fn stamp(now: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::EpochSeconds => now.0.div_euclid(1000).to_string(),
        TimestampFormat::EpochMillis => now.0.to_string(),
        TimestampFormat::Iso => now.to_string(),
        TimestampFormat::HttpDate => {
            let since = std::time::Duration::from_millis(u64::try_from(now.0).unwrap_or_default());
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
        }
    }
}
