//! Opaque page tokens: where to go on, sealed (AES-256-GCM), because next links carry keys with
//! some APIs, and bound to the call that they go on with, so that a caller can neither read them nor
//! bend them into another request.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use crate::{
    model::pagination::{Change, Target},
    policy::paginate::Resume,
};

/// The form of the text within, which is sealed with it.
const VERSION: u8 = 2;

/// The token is not one of ours, not for this place, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page token is not valid here")]
pub struct Invalid;

/// The machine gives no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine gives no random numbers")]
pub struct NoRandom;

/// Where a token is made and used: it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The integration.
    pub integration: &'a str,
    /// The connection.
    pub connection: &'a str,
    /// The action.
    pub action: &'a str,
    /// Its step.
    pub step: &'a str,
    /// What it was called with, without the members that name the page.
    pub input: &'a Value,
    /// The base URL: URLs of its origin are kept without it, so that a token outlives a move.
    pub base: &'a Url,
}

impl Place<'_> {
    /// What the seal covers beside the text. A list in JSON keeps its parts apart.
    fn bind(&self) -> Aad<impl AsRef<[u8]>> {
        let Self { integration, connection, action, step, input, base: _ } = self;
        let text = json!([VERSION, integration, connection, action, step, input]).to_string();
        Aad::from(digest(&SHA256, text.as_bytes()))
    }
}

/// Seals where a list goes on.
///
/// # Errors
/// If the machine gives no random numbers.
pub fn seal(resume: &Resume, place: Place<'_>, key: &[u8; 32]) -> Result<String, NoRandom> {
    let changes: Vec<Value> = resume.changes.iter().map(|c| write(c, place.base)).collect();
    let mut text = json!([resume.rows, changes]).to_string().into_bytes();
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| NoRandom)?;
    let nonce = key.seal_in_place_append_tag(place.bind(), &mut text).map_err(|_| NoRandom)?;
    let mut token = nonce.as_ref().to_vec();
    token.extend_from_slice(&text);
    Ok(URL_SAFE_NO_PAD.encode(token))
}

/// Opens a token that was sealed for the same place with the same key.
///
/// # Errors
/// If it was not.
pub fn open(token: &str, place: Place<'_>, key: &[u8; 32]) -> Result<Resume, Invalid> {
    let mut bytes = URL_SAFE_NO_PAD.decode(token.trim()).map_err(|_| Invalid)?;
    let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(Invalid)?;
    if text.len() < MAX_TAG_LEN {
        return Err(Invalid);
    }
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Invalid)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| Invalid)?;
    let text = key.open_in_place(nonce, place.bind(), text).map_err(|_| Invalid)?;
    let (rows, changes): (u64, Vec<Value>) = serde_json::from_slice(text).map_err(|_| Invalid)?;
    let changes = changes.iter().map(|change| read(change, place.base).ok_or(Invalid));
    Ok(Resume { rows, changes: changes.collect::<Result<_, _>>()? })
}

fn write(change: &Change, base: &Url) -> Value {
    match change {
        Change::Url(url) if url.origin() == base.origin() => {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            json!(["path", format!("{}{query}", url.path())])
        }
        Change::Url(url) => json!(["url", url.as_str()]),
        Change::Set(Target::Query(name), value) => json!(["query", name, value]),
        Change::Set(Target::Form(name), value) => json!(["form", name, value]),
        Change::Set(Target::Header(name), value) => json!(["header", name.as_str(), value]),
        Change::Set(Target::Json(path), value) => json!(["json", path, value]),
    }
}

fn read(value: &Value, base: &Url) -> Option<Change> {
    let (kind, place) = (value.get(0)?.as_str()?, value.get(1)?);
    if kind == "path" {
        let (path, query) = match place.as_str()?.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (place.as_str()?, None),
        };
        // Parts are set, not parsed: a path that begins with `//` names no host.
        let mut url = base.clone();
        url.set_path(path);
        url.set_query(query);
        return Some(Change::Url(url));
    }
    if kind == "url" {
        return Some(Change::Url(place.as_str()?.parse().ok()?));
    }
    let name = || place.as_str().map(str::to_owned);
    let target = match kind {
        "query" => Target::Query(name()?),
        "form" => Target::Form(name()?),
        "header" => Target::Header(name()?.parse().ok()?),
        "json" => Target::Json(
            place
                .as_array()?
                .iter()
                .map(|n| n.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    };
    Some(Change::Set(target, value.get(2)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'a>(input: &'a Value, base: &'a Url) -> Place<'a> {
        Place { integration: "i", connection: "c", action: "list", step: "all", input, base }
    }

    #[test]
    fn tokens_open_only_where_they_were_made() {
        let changes = vec![
            Change::Set(Target::Query("limit".to_owned()), json!(50)),
            Change::Set(Target::Json(vec!["a".to_owned(), "b".to_owned()]), json!({"k": [1]})),
            Change::Url("https://a.test/x?key=SECRETKEY1".parse().unwrap()),
        ];
        let resume = Resume { rows: 100, changes };
        let key = [7; 32];
        let base: Url = "https://b.test/v1".parse().unwrap();
        let (input, other) = (json!({"u": "bob"}), json!({"u": "alice"}));
        let all = place(&input, &base);
        let token = seal(&resume, all, &key).unwrap();
        assert!(!String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(&token).unwrap()).contains("KEY"));
        assert_eq!(open(&token, all, &key), Ok(resume.clone()));
        assert_ne!(seal(&resume, all, &key).unwrap(), token, "a nonce is used once");
        for elsewhere in [
            Place { integration: "x", ..all },
            Place { connection: "x", ..all },
            Place { action: "x", ..all },
            Place { step: "x", ..all },
            Place { input: &other, ..all },
        ] {
            assert_eq!(open(&token, elsewhere, &key), Err(Invalid), "{elsewhere:?}");
        }
        assert_eq!(open(&token, all, &[8; 32]), Err(Invalid));
        let mut bent = token.clone();
        bent.replace_range(3..4, if &bent[3..4] == "A" { "B" } else { "A" });
        for bad in [bent.as_str(), "", "AA", "AAAAAAAAAAAAAAAAAAAA", "https://evil.test"] {
            assert_eq!(open(bad, all, &key), Err(Invalid), "{bad}");
        }
    }

    #[test]
    fn tokens_follow_their_base() {
        let (old, new): (Url, Url) =
            ("http://127.0.0.1:1/v1".parse().unwrap(), "http://127.0.0.1:2/v1".parse().unwrap());
        let at = |url: &str| Resume { rows: 0, changes: vec![Change::Url(url.parse().unwrap())] };
        let input = json!({});
        let next = at("http://127.0.0.1:1//v1/x?a=b%20c");
        let token = seal(&next, place(&input, &old), &[0; 32]).unwrap();
        let moved = at("http://127.0.0.1:2//v1/x?a=b%20c");
        assert_eq!(open(&token, place(&input, &new), &[0; 32]), Ok(moved));
    }
}
