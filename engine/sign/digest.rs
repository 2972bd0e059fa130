//! Digests and keyed digests.

use aws_lc_rs::{digest, hmac};

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// HMAC with SHA-1 (RFC 2104); for OAuth 1 and vendors that never moved on.
pub fn hmac_sha1(key: &[u8], data: &[u8]) -> Vec<u8> {
    keyed(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, data)
}

/// HMAC with SHA-256.
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> Vec<u8> {
    keyed(hmac::HMAC_SHA256, key, data)
}

/// HMAC with SHA-512.
pub fn hmac_sha512(key: &[u8], data: &[u8]) -> Vec<u8> {
    keyed(hmac::HMAC_SHA512, key, data)
}

fn keyed(algorithm: hmac::Algorithm, key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::hex;

    #[test]
    fn keyed_digests_are_those_of_rfc_2202_and_4231() {
        let text = b"what do ya want for nothing?";
        assert_eq!(
            hex::encode(&hmac_sha1(b"Jefe", text)),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            hex::encode(&hmac_sha256(b"Jefe", text)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(
            hex::encode(&hmac_sha512(b"Jefe", text))
                .starts_with("164b7a7bfcf819e2e395fbe73b56e0a3")
        );
    }
}
