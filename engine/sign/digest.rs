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

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('0', |d| char::from(*d));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads hexadecimal digits, of either case.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_there_and_back() {
        assert_eq!(hex(&[0, 15, 255, 160]), "000fffa0");
        assert_eq!(from_hex("000fFFa0"), Some(vec![0, 15, 255, 160]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
    }

    #[test]
    fn keyed_digests_are_those_of_rfc_2202_and_4231() {
        let text = b"what do ya want for nothing?";
        assert_eq!(hex(&hmac_sha1(b"Jefe", text)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            hex(&hmac_sha256(b"Jefe", text)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(hex(&hmac_sha512(b"Jefe", text)).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
    }
}
