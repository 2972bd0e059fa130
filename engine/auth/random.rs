//! Randomness for nonces and ids of requests.

use crate::{sign::digest, template::Fault};

/// 128 random bits, in hexadecimal digits.
pub fn random() -> Result<String, Fault> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| Fault::new("the system has no randomness to give"))?;
    Ok(digest::hex(&bytes))
}
