//! Sign-ins that have begun, so that any process of a store can take the callback, and any other
//! can learn the result.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    model::{account::AccountKey, secret::Secret, time::Timestamp},
    store::ports::{accounts::NewAccount, future::StoreFuture},
};

/// See the module. Rows are known by a hash of `state`, which nobody can turn back.
pub trait Consents: Send + Sync {
    /// Stores a sign-in that begins. Durable.
    fn put(&self, consent: Consent) -> StoreFuture<'_, ()>;
    /// Takes a sign-in for the callback: once, and before it expires. Durable.
    /// [`crate::store::Error::Tampered`] if its secrets do not open; then it is not taken.
    fn take<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentTake>;
    /// Stores the result of a sign-in, and the account if it succeeded, in one go. Durable.
    fn finish<'a>(
        &'a self,
        state_hash: &'a str,
        result: Value,
        account: Option<NewAccount>,
    ) -> StoreFuture<'a, ()>;
    /// What has become of a sign-in.
    fn result<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentResult>;
    /// Removes what expired before, a thousand at most; how many.
    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64>;
}

/// A sign-in between its beginning and its callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Of `state`.
    pub state_hash: String,
    /// The account that is signed in.
    pub account: AccountKey,
    /// The verifier of PKCE (RFC 7636). Sealed.
    pub verifier: Option<Secret>,
    /// The secret of a temporary token (OAuth 1, RFC 5849, section 2.1). Sealed.
    pub token_secret: Option<Secret>,
    /// What the person entered before they were sent off, by name. Sealed.
    pub credentials: BTreeMap<String, Secret>,
    /// Values of the connection that are `writeOnly`, each a JSON text. Sealed.
    pub connection_config: BTreeMap<String, Secret>,
    /// As it was when the browser was sent off.
    pub redirect_uri: String,
    /// Who must answer (RFC 9207).
    pub issuer: Option<String>,
    /// The session that began it.
    pub session: Option<String>,
    /// Of the cookie that binds the browser.
    pub cookie_hash: Option<String>,
    /// Of the page that waits for the result.
    pub socket_id: Option<String>,
    /// Where the browser goes afterwards.
    pub return_url: Option<String>,
    /// Everything else that the callback needs: scopes, values, metadata.
    pub parameters: Value,
    /// It cannot be taken afterwards.
    pub expires_at: Timestamp,
}

/// What [`Consents::take`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentTake {
    /// It is the asker's.
    Taken(Box<Consent>),
    /// Another has taken it.
    Used,
    /// Its time was over before anybody took it.
    Expired,
    /// There is no such sign-in, or not any more.
    Unknown,
}

/// What has become of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentResult {
    /// There is no such sign-in, or not any more.
    Unknown,
    /// Its callback has not come, or is being worked on.
    Pending,
    /// It is over.
    Done(Value),
}
