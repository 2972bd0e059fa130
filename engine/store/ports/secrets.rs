//! The secrets of accounts, opened one at a time, and who may renew them.
//!
//! A fence stands in the row that it guards and in the `WHERE` of every write. A *success* is proof:
//! even late it wins over a verdict on the same tokens, for it often holds the only valid ones; of
//! two successes from one parent the later fence wins. A *verdict* counts only for the generation
//! and the fence that it was reached under.

use std::time::Duration;

use crate::{
    model::{
        account::{AccountKey, Connection, Credentials},
        time::Timestamp,
    },
    store::ports::future::StoreFuture,
};

/// See the module.
pub trait Secrets: Send + Sync {
    /// Opens one. [`crate::store::Error::Tampered`] if it does not open.
    fn open<'a>(&'a self, key: &'a AccountKey) -> StoreFuture<'a, Option<Connection>>;
    /// The right to renew a token set, and the set itself, in one transaction. Whoever holds it
    /// counts the term from before the call, on the boot clock.
    fn lease(&self, ask: LeaseAsk) -> StoreFuture<'_, LeaseAnswer>;
    /// Prolongs a lease; whether it is still the holder's.
    fn renew<'a>(&'a self, held: &'a LeaseHeld, term: Duration) -> StoreFuture<'a, bool>;
    /// Gives a lease back; nothing happens if it is not the holder's any more.
    fn release<'a>(&'a self, held: &'a LeaseHeld) -> StoreFuture<'a, ()>;
    /// Stores a token set that a vendor gave; whether it counts. Ends the lease. Durable.
    fn keep(&self, tokens: NewTokens) -> StoreFuture<'_, bool>;
    /// Stores what a failed renewal means; whether it counts. Ends the lease. Durable.
    fn verdict(&self, verdict: Verdict) -> StoreFuture<'_, bool>;
    /// Stores when a token set ends that is stored already; whether it is still the newest one. It
    /// stays the same set: only `basis.generation` and the incarnation count. Durable.
    fn set_expiry(&self, basis: Basis, expires_at: Timestamp) -> StoreFuture<'_, bool>;
    /// Stores what is left of credentials whose tokens the vendor took back, and marks the account
    /// `revoked`; whether it counts. Ends the lease; a late success does not bring the tokens back.
    /// Durable.
    fn retract(&self, retraction: Retraction) -> StoreFuture<'_, bool>;
}

/// What [`Secrets::lease`] is asked.
#[derive(Debug, Clone)]
pub struct LeaseAsk {
    /// Whose tokens.
    pub key: AccountKey,
    /// Of the account: a later one of the same name has other tokens.
    pub incarnation: String,
    /// The token set that is to be renewed.
    pub generation: i64,
    /// Who asks; unique among all processes.
    pub holder: String,
    /// For how long.
    pub term: Duration,
}

/// What [`Secrets::lease`] answers.
#[derive(Debug)]
pub enum LeaseAnswer {
    /// It is the asker's. `secrets.fence` is its fence.
    Granted(Box<Connection>),
    /// Another holds it.
    Taken,
    /// The account has a newer token set, or is gone: read it again.
    Overtaken,
}

/// A lease that was granted.
#[derive(Debug, Clone)]
pub struct LeaseHeld {
    /// Whose tokens.
    pub key: AccountKey,
    /// As asked.
    pub holder: String,
    /// As granted.
    pub fence: i64,
}

/// Which token set something was reached from, and under which lease.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Whose.
    pub key: AccountKey,
    /// Of the account.
    pub incarnation: String,
    /// Of the token set.
    pub generation: i64,
    /// Of the lease.
    pub fence: i64,
}

impl Basis {
    /// What a connection that was opened is the basis for.
    pub fn of(connection: &Connection) -> Self {
        let Connection { account, secrets } = connection;
        Self {
            key: account.key(),
            incarnation: account.incarnation.clone(),
            generation: secrets.generation,
            fence: secrets.fence,
        }
    }
}

/// A renewed token set.
#[derive(Debug, Clone)]
pub struct NewTokens {
    /// What it was renewed from.
    pub basis: Basis,
    /// All credentials, old ones that stay included.
    pub credentials: Credentials,
    /// What is granted, if the vendor said.
    pub scopes: Option<Vec<String>>,
    /// Values of the connection that come with it.
    pub saved: serde_json::Map<String, serde_json::Value>,
}

/// What a failed renewal means.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What was to be renewed.
    pub basis: Basis,
    /// Who holds the lease under which it was reached. `None`: it was reached without one, when an
    /// API refused the token, and counts only while nobody holds one.
    pub holder: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// No request before this time; without one, a person has to sign in again.
    pub retry_at: Option<Timestamp>,
}

/// What a revocation leaves.
#[derive(Debug, Clone)]
pub struct Retraction {
    /// What was taken back: counts only for this generation and fence.
    pub basis: Basis,
    /// The credentials without their tokens.
    pub credentials: Credentials,
    /// Why the account cannot be used any more, for people.
    pub reason: String,
}
