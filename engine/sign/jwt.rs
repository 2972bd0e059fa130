//! JSON Web Tokens that we sign (RFC 7515, 7518, 7519), in the compact form.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{
    model::{secret::Secret, sign::Algorithm},
    sign::{digest, fault::Error, key::PrivateKey},
};

/// What signs.
pub enum SigningKey {
    /// For `HS256`.
    Shared(Zeroizing<Vec<u8>>),
    /// For the others.
    Private(PrivateKey),
}

/// Signs `claims`; `alg` and `typ` of the header are ours unless `header` says otherwise for `typ`.
pub fn sign(
    algorithm: Algorithm,
    key: &SigningKey,
    header: Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<Secret, Error> {
    let mut head = Map::new();
    head.insert("alg".to_owned(), algorithm.as_str().into());
    head.insert("typ".to_owned(), "JWT".into());
    head.extend(header.into_iter().filter(|(name, _)| name != "alg"));
    let part = |map: &Map<String, Value>| {
        let json = serde_json::to_vec(map).map_err(|error| Error(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    };
    let text = format!("{}.{}", part(&head)?, part(claims)?);
    let signature = match (algorithm, key) {
        (Algorithm::Hs256, SigningKey::Shared(key)) => digest::hmac_sha256(key, text.as_bytes()),
        (Algorithm::Rs256, SigningKey::Private(PrivateKey::Rsa(key))) => {
            rsa(key, &RSA_PKCS1_SHA256, &text)?
        }
        (Algorithm::Ps256, SigningKey::Private(PrivateKey::Rsa(key))) => {
            rsa(key, &RSA_PSS_SHA256, &text)?
        }
        (Algorithm::Es256, SigningKey::Private(PrivateKey::P256(key))) => key
            .sign(&SystemRandom::new(), text.as_bytes())
            .map_err(|_| Error("the key does not sign".to_owned()))?
            .as_ref()
            .to_vec(),
        (Algorithm::Hs256, SigningKey::Private(_))
        | (Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256, _) => {
            return Err(Error(format!(
                "the key is of another kind than {} needs",
                algorithm.as_str()
            )));
        }
    };
    Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn rsa(
    key: &aws_lc_rs::rsa::KeyPair,
    encoding: &'static dyn RsaEncoding,
    text: &str,
) -> Result<Vec<u8>, Error> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| Error("the key does not sign".to_owned()))?;
    Ok(signature)
}

/// The claims of a token that somebody else signed, unverified: it came over TLS from the token
/// endpoint, and only says when it ends or whose it is.
pub fn claims(token: &str) -> Option<Map<String, Value>> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}
