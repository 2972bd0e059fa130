//! Text sealed with a passphrase, for moving connections to another machine: Argon2id (RFC 9106)
//! makes the key, AES-256-GCM seals.
//!
//! ```text
//! engine-export-v1 argon2id m=65536 t=3 p=1 <salt> <nonce>
//! <base64, wrapped>
//! ```

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{model::secret::Secret, value::random, vault::error::Error};

const MARK: &str = "engine-export-v1";
/// RFC 9106, section 4, second recommended option: 64 MiB, three passes.
const MEMORY: u32 = 65_536;
const PASSES: u32 = 3;
/// What a file may ask of the machine that opens it.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 64;
const LINE: usize = 76;

/// Whether a text is one of ours.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(MARK)
}

/// Seals a text.
pub fn seal(text: &str, passphrase: &Secret) -> Result<String, Error> {
    let mut salt = [0; 16];
    let mut nonce = [0; NONCE_LEN];
    random::fill(&mut salt)
        .and_then(|()| random::fill(&mut nonce))
        .map_err(|_| broken("the machine gives no random numbers"))?;
    let head = format!(
        "{MARK} argon2id m={MEMORY} t={PASSES} p=1 {} {}",
        STANDARD.encode(salt),
        STANDARD.encode(nonce)
    );
    let key = key(passphrase, &salt, (MEMORY, PASSES))?;
    let mut body = Zeroizing::new(text.as_bytes().to_vec());
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(head.as_bytes()),
            &mut body,
        )
        .map_err(|_| broken("it cannot be sealed"))?;
    body.extend_from_slice(tag.as_ref());
    let encoded = STANDARD.encode(&*body);
    let mut out = head;
    out.push('\n');
    for line in encoded.as_bytes().chunks(LINE) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    Ok(out)
}

/// Opens a text that [`seal`] made. A wrong passphrase and a changed file look the same.
pub fn open(text: &str, passphrase: &Secret) -> Result<Zeroizing<String>, Error> {
    let unreadable = || broken("the export is damaged or of a newer version");
    let (head, body) = text.split_once('\n').ok_or_else(unreadable)?;
    let parts: Vec<&str> = head.split(' ').collect();
    let [MARK, "argon2id", memory, passes, "p=1", salt, nonce] = parts.as_slice() else {
        return Err(unreadable());
    };
    let number = |part: &str, name: &str| part.strip_prefix(name)?.parse::<u32>().ok();
    let memory = number(memory, "m=").filter(|m| *m <= MOST_MEMORY).ok_or_else(unreadable)?;
    let passes = number(passes, "t=").filter(|t| *t <= MOST_PASSES).ok_or_else(unreadable)?;
    let salt = STANDARD.decode(salt).map_err(|_| unreadable())?;
    let nonce = STANDARD.decode(nonce).map_err(|_| unreadable())?;
    let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| unreadable())?;
    let packed: String = body.split_whitespace().collect();
    let mut sealed = Zeroizing::new(STANDARD.decode(packed).map_err(|_| unreadable())?);
    let key = key(passphrase, &salt, (memory, passes))?;
    let plain = key
        .open_in_place(nonce, Aad::from(head.as_bytes()), &mut sealed)
        .map_err(|_| broken("the passphrase is wrong, or the export was changed"))?;
    let plain = std::str::from_utf8(plain).map_err(|_| unreadable())?;
    Ok(Zeroizing::new(plain.to_owned()))
}

fn key(
    passphrase: &Secret,
    salt: &[u8],
    (memory, passes): (u32, u32),
) -> Result<LessSafeKey, Error> {
    let weak = || broken("the export's parameters cannot be used");
    let params = argon2::Params::new(memory, passes, 1, Some(32)).map_err(|_| weak())?;
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut bytes = Zeroizing::new([0; 32]);
    argon
        .hash_password_into(passphrase.expose().as_bytes(), salt, bytes.as_mut_slice())
        .map_err(|_| weak())?;
    let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).map_err(|_| weak())?;
    Ok(LessSafeKey::new(key))
}

fn broken(reason: &str) -> Error {
    Error::Key { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_passphrase_opens_it_and_only_unchanged() {
        let (right, wrong) = (Secret::new("correct horse".to_owned()), Secret::new("x".to_owned()));
        let sealed = seal("{\"a\": \"MARKED\"}\n", &right).unwrap();
        assert!(is_sealed(&sealed) && !sealed.contains("MARKED"));
        assert_eq!(*open(&sealed, &right).unwrap(), "{\"a\": \"MARKED\"}\n");
        assert!(open(&sealed, &wrong).is_err());
        assert!(open(&sealed.replace("t=3", "t=4"), &right).is_err());
        assert!(open(&sealed.replace("m=65536", "m=4000000000"), &right).is_err());
        assert!(open("engine-export-v1", &right).is_err());
    }
}
