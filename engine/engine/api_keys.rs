//! The keys with which programs use the server.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    diagnostic::suggest,
    engine::{actor::Actor, ids, parts::Engine},
    error::{CallCode, Error},
    model::api_key::{ApiKey, KeyRate, Narrowing, SCOPES, is_scope},
    sign::digest::sha256,
    store::AuditEntry,
    value::{hex, random},
    view,
};

/// With what the text of a key begins, so that scanners of sources find one that leaked.
const PREFIX: &str = "engine_key_";

/// A key to be made.
#[derive(Debug, Clone, Default)]
pub struct NewApiKey {
    /// For people.
    pub name: Option<String>,
    /// What it may do; empty for everything.
    pub scopes: Vec<String>,
    /// Of what and of whom.
    pub narrowing: Narrowing,
    /// How fast.
    pub rate: Option<KeyRate>,
    /// How many requests at once.
    pub concurrency: Option<u32>,
    /// How long it is good; for ever without.
    pub expires: Option<Duration>,
}

impl Engine {
    /// Makes a key. Its text is in the answer, and nowhere else.
    pub async fn create_api_key(
        &self,
        new: NewApiKey,
        by: &Actor,
    ) -> Result<view::CreatedApiKey, Error> {
        let NewApiKey { name, scopes, narrowing, rate, concurrency, expires } = new;
        for scope in &scopes {
            if !is_scope(scope) {
                return Err(unknown_scope(scope));
            }
        }
        let now = self.clock().now();
        let bytes = random::bytes::<32>().map_err(|error| Error::Io {
            what: "a key cannot be made".to_owned(),
            source: std::io::Error::other(error),
        })?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let key = ApiKey {
            id: ids::api_key(now),
            hash: Self::api_key_hash(&text),
            name,
            scopes: if scopes.is_empty() { vec!["*".to_owned()] } else { scopes },
            narrowing,
            rate,
            concurrency,
            created_at: now,
            expires_at: expires.map(|span| now.plus(span)),
            revoked_at: None,
            last_used_at: None,
        };
        let store = self.store().await?;
        // Written down before it is done: a key of which nobody knows is worse than a line too many.
        store.audit.append(vec![entry(by, "key.created", &key.id)]).await?;
        store.keys.create(key.clone()).await?;
        Ok(view::CreatedApiKey { key: text, shown: key.into() })
    }

    /// The newest keys, revoked and expired ones too.
    pub async fn api_keys(&self) -> Result<Vec<view::ApiKey>, Error> {
        let keys = self.store().await?.keys.list().await?;
        Ok(keys.into_iter().map(view::ApiKey::from).collect())
    }

    /// Whether any key would be taken now.
    pub async fn has_api_key(&self) -> Result<bool, Error> {
        let now = self.clock().now();
        Ok(self.store().await?.keys.list().await?.iter().any(|key| key.is_good(now)))
    }

    /// Revokes a key: servers on this store refuse it within two seconds.
    pub async fn revoke_api_key(&self, id: &str, by: &Actor) -> Result<view::ApiKey, Error> {
        let store = self.store().await?;
        let key = store.keys.revoke(id).await?.ok_or_else(|| {
            let hint = "`engine keys list` shows which there are";
            Error::call(CallCode::UnknownKey, format!("there is no key `{id}`"), hint)
        })?;
        store.audit.append(vec![entry(by, "key.revoked", &key.id)]).await?;
        Ok(key.into())
    }

    /// By what a key is known.
    pub fn api_key_hash(text: &str) -> String {
        hex::encode(&sha256(text.as_bytes()))
    }

    /// The key that is known by this, good or not.
    pub async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, Error> {
        Ok(self.store().await?.keys.by_hash(hash).await?)
    }

    /// Grows with every change of any key.
    pub async fn api_key_revision(&self) -> Result<i64, Error> {
        Ok(self.store().await?.keys.revision().await?)
    }

    /// Notes that a key was used.
    pub async fn api_key_used(&self, id: &str) {
        if let Ok(store) = self.store().await {
            store.keys.used(id.to_owned());
        }
    }

    /// What was done, newest first: entries before a number, all without one.
    pub async fn audit(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<view::AuditEntry>, Error> {
        let rows = self.store().await?.audit.page(before, limit).await?;
        Ok(rows.into_iter().map(view::AuditEntry::from).collect())
    }
}

fn entry(by: &Actor, what: &str, about: &str) -> AuditEntry {
    let Actor { who, source } = by.clone();
    AuditEntry { who, what: what.to_owned(), account: None, about: Some(about.to_owned()), source }
}

fn unknown_scope(scope: &str) -> Error {
    Error::Call {
        code: CallCode::BadArgument,
        message: format!("there is no scope `{scope}`"),
        hint: suggest(scope, SCOPES.iter().copied()),
    }
}
