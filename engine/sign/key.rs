//! Private keys as users paste them: PEM of PKCS #8, PKCS #1 or SEC 1, line breaks real or written
//! as `\n`, as environment variables often have them.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rsa::KeyPair as RsaKeyPair,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::sign::{digest, fault::Error};

/// A private key that can sign.
pub enum PrivateKey {
    /// RSA.
    Rsa(RsaKeyPair),
    /// The curve P-256.
    P256(EcdsaKeyPair),
}

impl PrivateKey {
    /// Reads a PEM text.
    pub fn read(pem: &str) -> Result<Self, Error> {
        let (label, der) = unwrap(pem)?;
        let unreadable = || Error(format!("the private key cannot be read ({label})"));
        match label.as_str() {
            "RSA PRIVATE KEY" => {
                RsaKeyPair::from_der(&der).map(Self::Rsa).map_err(|_| unreadable())
            }
            "EC PRIVATE KEY" => {
                EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
                    .map(Self::P256)
                    .map_err(|_| unreadable())
            }
            "PRIVATE KEY" => match RsaKeyPair::from_pkcs8(&der) {
                Ok(key) => Ok(Self::Rsa(key)),
                Err(_) => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
                    .map(Self::P256)
                    .map_err(|_| unreadable()),
            },
            "ENCRYPTED PRIVATE KEY" => Err(Error(
                "the private key is encrypted; decrypt it with `openssl pkey -in key.pem`"
                    .to_owned(),
            )),
            other => Err(Error(format!("`{other}` is no private key"))),
        }
    }

    /// Base64 of the SHA-256 of the public key's `SubjectPublicKeyInfo` (RFC 5280, section 4.1), as
    /// Snowflake and others name keys.
    pub fn fingerprint(&self) -> Result<String, Error> {
        let der = match self {
            Self::Rsa(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Self::P256(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
        };
        let der = der.map_err(|_| Error("the public key cannot be written".to_owned()))?;
        Ok(STANDARD.encode(digest::sha256(der.as_ref())))
    }
}

/// The SHA-256 thumbprint of a certificate, in URL-safe base64 (RFC 7515, section 4.1.8).
pub fn thumbprint(pem: &str) -> Result<String, Error> {
    let (label, der) = unwrap(pem)?;
    if label != "CERTIFICATE" {
        return Err(Error(format!("`{label}` is no certificate")));
    }
    let print = digest::sha256(&der);
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(print))
}

/// The label and the bytes of the first block of a PEM text (RFC 7468).
fn unwrap(pem: &str) -> Result<(String, Zeroizing<Vec<u8>>), Error> {
    let none = || {
        Error(
            "the private key is no PEM text; it begins with `-----BEGIN … PRIVATE KEY-----`"
                .to_owned(),
        )
    };
    let pem = Zeroizing::new(pem.replace("\\n", "\n"));
    let (_, rest) = pem.split_once("-----BEGIN ").ok_or_else(none)?;
    let (label, rest) = rest.split_once("-----").ok_or_else(none)?;
    let (body, _) = rest.split_once("-----END ").ok_or_else(none)?;
    let body: Zeroizing<String> =
        Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect());
    let der = STANDARD
        .decode(body.as_bytes())
        .map_err(|_| Error("the private key's PEM text is damaged".to_owned()))?;
    Ok((label.to_owned(), Zeroizing::new(der)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_said_and_not_quoted() {
        for (text, wanted) in [
            ("s3cret", "no PEM text"),
            ("-----BEGIN PRIVATE KEY-----\ns3cret!\n-----END PRIVATE KEY-----", "damaged"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be read"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END", "no PEM text"),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
                "openssl",
            ),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "`CERTIFICATE` is no"),
        ] {
            let Err(error) = PrivateKey::read(text) else { panic!("{text} was read") };
            assert!(error.0.contains(wanted), "{text}: {error}");
            assert!(!error.0.contains("s3cret"), "{error}");
        }
    }
}
