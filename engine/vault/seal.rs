//! Sealing: AES-256-GCM, each value bound to its place.
//!
//! A sealed value is `version (1) | key id (8) | nonce (12) | ciphertext | tag (16)`. What stands
//! in the clear, and the place, are authenticated: a value that was moved, cut or changed does not
//! open. Nonces are random; a store stays far below the 2³² values that this allows per key.

use std::collections::BTreeMap;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, Prk, Salt},
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    model::{account::Credentials, secret::Secret, time::Timestamp},
    value::random,
};

const VERSION: u8 = 1;
/// Bytes of a key's id.
const KEY_ID: usize = 8;

/// Names a key; says nothing about it.
pub type KeyId = [u8; KEY_ID];

const HEAD: usize = 1 + KEY_ID + NONCE_LEN;
const TAG: usize = 16;

/// Padding may be left out, as shells and people do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a value could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Sealed under another key.
    #[error("sealed under another key")]
    OtherKey,
    /// Moved, cut or changed, or not of this format.
    #[error("does not open")]
    Damaged,
    /// The machine gives no random numbers.
    #[error("no random numbers")]
    NoRandom,
}

impl From<Unspecified> for Error {
    fn from(_: Unspecified) -> Self {
        Self::Damaged
    }
}

/// Where a sealed value stands; it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The integration.
    pub integration: &'a str,
    /// The connection.
    pub id: &'a str,
    /// The column.
    pub field: &'a str,
}

impl Place<'_> {
    /// Unambiguous: every part carries its length.
    fn bind(self, head: &[u8]) -> Vec<u8> {
        let Self { integration, id, field } = self;
        let mut text = head.to_vec();
        for part in [integration, id, field] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        text
    }
}

/// The store's key, ready for use. The 32 bytes it is made from are not kept: one key for sealing,
/// one for page tokens and an id are derived from them (HKDF-SHA-256, RFC 5869).
pub struct Key {
    id: KeyId,
    sealing: LessSafeKey,
    token: Zeroizing<[u8; 32]>,
}

impl Key {
    /// Reads 32 bytes in base64. `None` if they are not.
    pub fn parse(text: &Secret) -> Option<Self> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        BASE64.decode_vec(text.expose().trim(), &mut bytes).ok()?;
        Self::derive(<&[u8; 32]>::try_from(bytes.as_slice()).ok()?).ok()
    }

    /// A new key, as text.
    pub fn generate() -> Result<Secret, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(bytes.as_mut_slice()).map_err(|_| Error::NoRandom)?;
        Ok(Secret::new(BASE64.encode(bytes.as_slice())))
    }

    /// Names the key; says nothing about it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// For what callers get to hold, such as page tokens.
    pub fn token_key(&self) -> [u8; 32] {
        *self.token
    }

    fn derive(root: &[u8; 32]) -> Result<Self, Unspecified> {
        let root = Salt::new(HKDF_SHA256, b"engine store").extract(root);
        let id = expand(&root, b"key id")?;
        let sealing = expand(&root, b"sealing")?;
        Ok(Self {
            id: *id.first_chunk().ok_or(Unspecified)?,
            sealing: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, sealing.as_slice())?),
            token: expand(&root, b"page tokens")?,
        })
    }

    /// Seals what `write` adds to the buffer, about `size` bytes. Plain text is overwritten in
    /// place: a buffer of the right size leaves no copies behind.
    pub fn seal(
        &self,
        place: Place<'_>,
        size: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce).map_err(|_| Error::NoRandom)?;
        let mut buffer = Zeroizing::new(Vec::with_capacity(HEAD + size + TAG));
        buffer.push(VERSION);
        buffer.extend_from_slice(&self.id);
        buffer.extend_from_slice(&nonce);
        let place = Aad::from(place.bind(&buffer));
        write(&mut buffer)?;
        let plain = buffer.get_mut(HEAD..).ok_or(Error::Damaged)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.sealing.seal_in_place_separate_tag(nonce, place, plain)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(std::mem::take(&mut *buffer))
    }

    /// Opens a sealed value, and hands it to `read`; it is wiped afterwards.
    pub fn unseal<T>(
        &self,
        place: Place<'_>,
        sealed: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (head, body) = sealed.split_at_checked(HEAD).ok_or(Error::Damaged)?;
        let (version, rest) = head.split_first().ok_or(Error::Damaged)?;
        let (id, nonce) = rest.split_at_checked(KEY_ID).ok_or(Error::Damaged)?;
        if *version != VERSION {
            return Err(Error::Damaged);
        }
        if id != self.id {
            return Err(Error::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let mut body = Zeroizing::new(body.to_vec());
        let place = Aad::from(place.bind(head));
        read(self.sealing.open_in_place(nonce, place, &mut body)?)
    }

    /// A value that only this key opens: tells at the door whether a key is the right one.
    pub fn proof(&self) -> Result<Vec<u8>, Error> {
        self.seal(PROOF, 0, |_| Ok(()))
    }

    /// Whether [`Key::proof`] was made by this key.
    pub fn proves(&self, proof: &[u8]) -> bool {
        self.unseal(PROOF, proof, |_| Ok(())).is_ok()
    }

    /// Seals the credentials of a connection.
    pub fn seal_credentials(
        &self,
        integration: &str,
        id: &str,
        credentials: &Credentials,
    ) -> Result<Vec<u8>, Error> {
        let plain = Plain {
            fields: credentials
                .fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.expose()))
                .collect(),
            expires_at: credentials.expires_at.map(|time| time.0),
            raw: credentials.raw.as_ref().map(Secret::expose),
            connection_config: credentials
                .connection_config
                .iter()
                .map(|(name, value)| (name.as_str(), value.expose()))
                .collect(),
        };
        self.seal(Place { integration, id, field: CREDENTIALS }, plain.size(), |buffer| {
            serde_json::to_writer(buffer, &plain).map_err(|_| Error::Damaged)
        })
    }

    /// Opens the credentials of a connection.
    pub fn unseal_credentials(
        &self,
        integration: &str,
        id: &str,
        sealed: &[u8],
    ) -> Result<Credentials, Error> {
        let place = Place { integration, id, field: CREDENTIALS };
        let kept: Kept = self.unseal(place, sealed, |plain| {
            serde_json::from_slice(plain).map_err(|_| Error::Damaged)
        })?;
        Ok(Credentials {
            fields: kept.fields.into_iter().map(|(name, text)| (name, Secret::new(text))).collect(),
            expires_at: kept.expires_at.map(Timestamp),
            raw: kept.raw.map(Secret::new),
            connection_config: kept
                .connection_config
                .into_iter()
                .map(|(name, text)| (name, Secret::new(text)))
                .collect(),
        })
    }
}

/// Which key sealed a value.
pub fn key_id(sealed: &[u8]) -> Option<KeyId> {
    sealed.get(1..=KEY_ID)?.try_into().ok()
}

/// A key as it is written to its file: one line.
pub fn to_file(key: &Secret) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([key.expose().as_bytes(), b"\n"].concat())
}

const PROOF: Place<'static> = Place { integration: "", id: "", field: "key-check" };
/// The last part of the place of credentials.
pub const CREDENTIALS: &str = "credentials";

fn expand(root: &Prk, purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, Unspecified> {
    let mut out = Zeroizing::new([0; 32]);
    root.expand(&[purpose], HKDF_SHA256)?.fill(out.as_mut_slice())?;
    Ok(out)
}

/// Credentials as they are sealed.
#[derive(Serialize)]
struct Plain<'a> {
    fields: BTreeMap<&'a str, &'a str>,
    expires_at: Option<i64>,
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    connection_config: BTreeMap<&'a str, &'a str>,
}

impl Plain<'_> {
    /// Room enough for the JSON text, unless every other character is escaped.
    fn size(&self) -> usize {
        let texts = self.fields.iter().chain(&self.connection_config);
        let fields: usize = texts.map(|(name, text)| name.len() + text.len() + 8).sum();
        2 * (fields + self.raw.map_or(0, str::len)) + 128
    }
}

/// Credentials as they are read back.
#[derive(Deserialize)]
struct Kept {
    fields: BTreeMap<String, String>,
    expires_at: Option<i64>,
    raw: Option<String>,
    /// Missing from what earlier versions sealed.
    #[serde(default)]
    connection_config: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::parse(&Key::generate().unwrap()).unwrap()
    }

    fn credentials(fields: &[(&str, &str)]) -> Credentials {
        let fields = fields.iter().map(|(n, v)| ((*n).to_owned(), Secret::new((*v).to_owned())));
        Credentials {
            fields: fields.collect(),
            expires_at: Some(Timestamp(5)),
            ..Credentials::default()
        }
    }

    #[test]
    fn keys_are_32_bytes_in_base64() {
        let text = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let bare = text.trim_end_matches('=');
        for good in [text.to_owned(), format!(" {text}\n"), bare.to_owned()] {
            assert!(Key::parse(&Secret::new(good.clone())).is_some(), "{good}");
        }
        for bad in ["", "short", "MDEyMzQ1Njc4OWFiY2RlZg==", &text[1..], &format!("{bare}{bare}")] {
            assert!(Key::parse(&Secret::new(bad.to_owned())).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_under_its_key() {
        let (key, other) = (key(), key());
        let given = credentials(&[("access_token", "marker-1234")]);
        let sealed = key.seal_credentials("slack", "alice", &given).unwrap();
        assert!(!sealed.windows(11).any(|window| window == b"marker-1234"));
        assert_eq!(key.unseal_credentials("slack", "alice", &sealed).unwrap(), given);
        for (integration, id) in
            [("slack", "bob"), ("github", "alice"), ("slacka", "lice"), ("", "")]
        {
            let opened = key.unseal_credentials(integration, id, &sealed);
            assert_eq!(opened.unwrap_err(), Error::Damaged, "{integration} {id}");
        }
        let opened = other.unseal_credentials("slack", "alice", &sealed);
        assert_eq!(opened.unwrap_err(), Error::OtherKey);
        assert!(key.proves(&key.proof().unwrap()));
        assert!(!other.proves(&key.proof().unwrap()));
        assert!(!key.proves(&sealed), "a row is no proof");
        assert_ne!(key.token_key(), other.token_key());
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let key = key();
        let sealed = key.seal_credentials("a", "b", &credentials(&[("k", "v")])).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.unseal_credentials("a", "b", &changed).is_err(), "byte {at}");
            assert!(key.unseal_credentials("a", "b", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_again(
            fields in proptest::collection::btree_map(".*", ".*", 0..5),
            expires_at in any::<Option<i64>>(),
            raw in any::<Option<String>>(),
            values in proptest::collection::btree_map(".*", ".*", 0..3),
        ) {
            let key = key();
            let given = Credentials {
                fields: fields.into_iter().map(|(n, v)| (n, Secret::new(v))).collect(),
                expires_at: expires_at.map(Timestamp),
                raw: raw.map(Secret::new),
                connection_config: values.into_iter().map(|(n, v)| (n, Secret::new(v))).collect(),
            };
            let one = key.seal_credentials("i", "c", &given).unwrap();
            let two = key.seal_credentials("i", "c", &given).unwrap();
            prop_assert_ne!(&one, &two, "nonces differ");
            prop_assert_eq!(key.unseal_credentials("i", "c", &one).unwrap(), given);
        }
    }
}
