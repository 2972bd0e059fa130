//! Accounts.

use serde_json::json;

use crate::{
    clock::Clock,
    model::{
        account::{Account, AccountKey, AccountStatus, Connection},
        name::IntegrationKey,
    },
    store::{
        error::Error,
        memory::state::{Memory, Row, State},
        ports::{
            StoreFuture,
            accounts::{
                AccountCursor, AccountFilter, AccountOrder, AccountPage, AccountQuery, Accounts,
                Choice, NAMED, NewAccount, Use,
            },
            revocations::Revocation,
        },
    },
};

impl Accounts for Memory {
    fn get<'a>(&'a self, key: &'a AccountKey) -> StoreFuture<'a, Option<Account>> {
        self.at_once(|state| Ok(state.accounts.get(key).map(shown)))
    }

    fn choose<'a>(&'a self, integration: &'a IntegrationKey) -> StoreFuture<'a, Choice> {
        self.at_once(move |state| {
            let all: Vec<&Row> =
                state.accounts.values().filter(|row| of(row) == &**integration).collect();
            Ok(match all.as_slice() {
                [] => Choice::None,
                [only] => Choice::One(Box::new(shown(only))),
                several => {
                    match several.iter().find(|row| row.connection.account.id == "default") {
                        Some(row) => Choice::One(Box::new(shown(row))),
                        None => {
                            let ids = several.iter().map(|row| row.connection.account.id.clone());
                            Choice::Several(ids.take(NAMED as usize).collect())
                        }
                    }
                }
            })
        })
    }

    fn page(&self, query: AccountQuery) -> StoreFuture<'_, AccountPage> {
        self.at_once(move |state| {
            let AccountQuery { filter, order, after, limit } = query;
            let mut all: Vec<Account> =
                state.accounts.values().map(shown).filter(|one| fits(&filter, one)).collect();
            let newest = |one: &Account| match order {
                AccountOrder::Name => (0, 0),
                AccountOrder::Created => (-one.created_at.0, -one.number),
                AccountOrder::Updated => (-one.updated_at.0, -one.number),
            };
            all.sort_by_key(|one| (newest(one), one.key()));
            if let Some(after) = after {
                all.retain(|one| match &after {
                    AccountCursor::Name(key) => one.key() > *key,
                    AccountCursor::Time(time, number) => newest(one) > (-time.0, -number),
                });
            }
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            all.truncate(limit);
            let next = all.last().filter(|_| all.len() == limit).map(|last| order.cursor(last));
            Ok(AccountPage { accounts: all, next })
        })
    }

    fn count(&self, filter: AccountFilter) -> StoreFuture<'_, u64> {
        self.at_once(move |state| {
            let all = state.accounts.values().map(shown);
            Ok(all.filter(|one| fits(&filter, one)).count() as u64)
        })
    }

    fn add_many(&self, new: Vec<NewAccount>) -> StoreFuture<'_, Vec<Result<Account, Error>>> {
        self.at_once(move |state| {
            Ok(new.into_iter().map(|new| add(state, &*self.clock, new)).collect())
        })
    }

    fn change(&self, account: Account) -> StoreFuture<'_, Account> {
        self.at_once(move |state| {
            let stored = state.accounts.get_mut(&account.key()).filter(|row| {
                let stored = &row.connection.account;
                stored.version == account.version && stored.incarnation == account.incarnation
            });
            let (integration, id) = (account.integration.clone(), account.id.clone());
            let row = stored.ok_or(Error::Changed { integration, id })?;
            let stored = &mut row.connection.account;
            stored.version += 1;
            stored.connection_config = account.connection_config;
            stored.account_id = account.account_id;
            stored.account_name = account.account_name;
            stored.metadata = account.metadata;
            stored.tags = account.tags;
            stored.end_user = account.end_user;
            stored.organization = account.organization;
            stored.webhook_url_override = account.webhook_url_override;
            stored.updated_at = self.clock.now();
            Ok(shown(row))
        })
    }

    fn retire<'a>(&'a self, key: &'a AccountKey, revoke: bool) -> StoreFuture<'a, bool> {
        self.at_once(move |state| {
            let Some(row) = state.accounts.remove(key) else { return Ok(false) };
            if revoke {
                state.numbers += 1;
                let revocation = Revocation {
                    number: state.numbers,
                    account: key.clone(),
                    attempts: 0,
                    reason: String::new(),
                };
                state.revocations.push((revocation, row.connection));
            }
            Ok(true)
        })
    }

    fn touch(&self, key: AccountKey, by: Use) {
        let now = Some(self.clock.now());
        if let Some(row) = self.state().accounts.get_mut(&key) {
            let account = &mut row.connection.account;
            account.last_fetched_at = account.last_fetched_at.max(now);
            if by == Use::Run {
                account.last_used_at = account.last_used_at.max(now);
            }
        }
    }
}

fn of(row: &Row) -> &str {
    &row.connection.account.integration
}

/// An account as a reader sees it.
pub fn shown(row: &Row) -> Account {
    let Connection { account, secrets } = &row.connection;
    let mut account = account.clone();
    account.credential_names = secrets.credentials.names();
    account.expires_at = secrets.credentials.expires_at;
    if row.damaged {
        account.status = AccountStatus::Damaged;
    }
    account
}

fn fits(filter: &AccountFilter, account: &Account) -> bool {
    let AccountFilter { integration, status, tags, end_user, organization, search } = filter;
    let holds = |text: &String| {
        let user = account.end_user.as_ref();
        let texts = [
            Some(account.id.as_str()),
            account.account_id.as_deref(),
            account.account_name.as_deref(),
            user.map(|user| user.id.as_str()),
            user.and_then(|user| user.email.as_deref()),
        ];
        let text = text.to_ascii_lowercase();
        texts.into_iter().flatten().any(|one| one.to_ascii_lowercase().contains(&text))
    };
    integration.as_ref().is_none_or(|name| account.integration == **name)
        && status.is_none_or(|status| status == account.status)
        && tags.iter().all(|(name, value)| account.tags.get(name) == Some(value))
        && end_user
            .as_ref()
            .is_none_or(|id| account.end_user.as_ref().is_some_and(|user| user.id == *id))
        && organization
            .as_ref()
            .is_none_or(|id| account.organization.as_ref().is_some_and(|one| one.id == *id))
        && search.as_ref().is_none_or(holds)
}

/// Adds an account, or gives one of the same key new credentials.
pub fn add(state: &mut State, clock: &dyn Clock, new: NewAccount) -> Result<Account, Error> {
    let NewAccount { connection: Connection { mut account, mut secrets }, replace } = new;
    let key = account.key();
    if let Some(row) = state.accounts.get_mut(&key) {
        if !replace {
            return Err(Error::Exists { integration: key.integration, id: key.id });
        }
        let old = &row.connection.account;
        account.number = old.number;
        account.incarnation.clone_from(&old.incarnation);
        account.version = old.version + 1;
        account.created_at = old.created_at;
        account.last_used_at = old.last_used_at;
        account.last_fetched_at = old.last_fetched_at;
        if account.metadata == json!({}) {
            account.metadata = old.metadata.clone();
        }
        if account.tags.is_empty() {
            account.tags.clone_from(&old.tags);
        }
        account.end_user = account.end_user.or_else(|| old.end_user.clone());
        account.organization = account.organization.or_else(|| old.organization.clone());
        account.webhook_url_override =
            account.webhook_url_override.or_else(|| old.webhook_url_override.clone());
        account.updated_at = clock.now();
        account.last_refreshed_at = Some(clock.now());
        replace_secrets(row, Connection { account, secrets });
        return Ok(shown(row));
    }
    state.numbers += 1;
    account.number = state.numbers;
    secrets.generation = 1;
    secrets.fence = 0;
    let connection = Connection { account, secrets };
    let row = Row { connection, parent: None, token_fence: 0, lease: None, damaged: false };
    let account = shown(&row);
    state.accounts.insert(key, row);
    Ok(account)
}

/// What is under way with the old credentials does not touch the new ones.
pub fn replace_secrets(row: &mut Row, mut connection: Connection) {
    let old = &row.connection.secrets;
    connection.secrets.generation = old.generation + 1;
    connection.secrets.fence = old.fence + 1;
    connection.account.refresh_failure = None;
    connection.account.refresh_retry_at = None;
    *row = Row { connection, parent: None, token_fence: 0, lease: None, damaged: false };
}
