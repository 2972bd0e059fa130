//! Accounts, without their secrets.

use std::collections::BTreeMap;

use crate::{
    model::{
        account::{Account, AccountKey, AccountStatus, Connection},
        name::{ConnectionId, IntegrationKey},
        time::Timestamp,
    },
    store::{error::Error, ports::future::StoreFuture},
};

/// See the module.
pub trait Accounts: Send + Sync {
    /// One account.
    fn get<'a>(&'a self, key: &'a AccountKey) -> StoreFuture<'a, Option<Account>>;
    /// The account that is meant when none is named: the only one of an integration, or `default`.
    fn choose<'a>(&'a self, integration: &'a IntegrationKey) -> StoreFuture<'a, Choice>;
    /// Some accounts, in order.
    fn page(&self, query: AccountQuery) -> StoreFuture<'_, AccountPage>;
    /// How many there are.
    fn count(&self, filter: AccountFilter) -> StoreFuture<'_, u64>;
    /// Stores accounts with their credentials, in one transaction; one that is refused keeps none
    /// of the others out. Durable when it returns.
    fn add_many(&self, new: Vec<NewAccount>) -> StoreFuture<'_, Vec<Result<Account, Error>>>;
    /// Replaces values, account id and name, metadata, tags, end user, organization and webhook URL
    /// of an account whose stored version is still `account.version`. [`Error::Changed`] if it changed or is gone. Durable.
    fn change(&self, account: Account) -> StoreFuture<'_, Account>;
    /// Removes an account and its secrets; whether there was one. With `revoke` its tokens are
    /// remembered as a revocation, in one go. Durable.
    fn retire<'a>(&'a self, key: &'a AccountKey, revoke: bool) -> StoreFuture<'a, bool>;
    /// Notes a use: soon, not durably, and not at all if the store has too much to do.
    fn touch(&self, key: AccountKey, by: Use);
}

/// What an account was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Its credentials were handed out: `last_fetched_at`.
    Fetch,
    /// A run used them: `last_fetched_at` and `last_used_at`.
    Run,
}

/// What [`Accounts::choose`] finds.
#[derive(Debug, Clone)]
pub enum Choice {
    /// The only one, or `default`.
    One(Box<Account>),
    /// Several, none of them called `default`: the ids of the first ones.
    Several(Vec<ConnectionId>),
    /// None at all.
    None,
}

/// So many ids are named where a choice is needed.
pub const NAMED: u32 = 20;

/// An account to be stored.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// With its credentials.
    pub connection: Connection,
    /// One of the same key is given these credentials: it keeps its number, its incarnation, the
    /// time of its making, and what the new one leaves empty of metadata, tags and owners. A
    /// refresh that is under way does not touch them. Without it, [`Error::Exists`].
    pub replace: bool,
}

/// Which accounts.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    /// Of this integration.
    pub integration: Option<String>,
    /// In this state.
    pub status: Option<AccountStatus>,
    /// With all of these tags.
    pub tags: BTreeMap<String, String>,
    /// Of this end user, by the operator's id.
    pub end_user: Option<String>,
    /// Of this organization, by the operator's id.
    pub organization: Option<String>,
    /// Whose id, account or end user holds this text, letters of either case.
    pub search: Option<String>,
}

/// Which page of them.
#[derive(Debug, Clone, Default)]
pub struct AccountQuery {
    /// Which accounts.
    pub filter: AccountFilter,
    /// In which order.
    pub order: AccountOrder,
    /// After this one; from the beginning without.
    pub after: Option<AccountCursor>,
    /// At most so many.
    pub limit: u32,
}

/// In which order. Each is total: accounts made at the same moment follow their numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccountOrder {
    /// By integration and id.
    #[default]
    Name,
    /// Newest first.
    Created,
    /// Last changed first.
    Updated,
}

/// The last account of a page, as its order sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountCursor {
    /// Of [`AccountOrder::Name`].
    Name(AccountKey),
    /// Of the orders by time: the time, then the number.
    Time(Timestamp, i64),
}

impl AccountOrder {
    /// The cursor behind an account.
    pub fn cursor(self, account: &Account) -> AccountCursor {
        match self {
            Self::Name => AccountCursor::Name(account.key()),
            Self::Created => AccountCursor::Time(account.created_at, account.number),
            Self::Updated => AccountCursor::Time(account.updated_at, account.number),
        }
    }
}

/// Some accounts.
#[derive(Debug, Clone)]
pub struct AccountPage {
    /// In order.
    pub accounts: Vec<Account>,
    /// Where the next page begins, if there may be one.
    pub next: Option<AccountCursor>,
}
