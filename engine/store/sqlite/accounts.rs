//! Accounts.

use std::sync::Arc;

use rusqlite::{Connection as Database, ToSql};

use crate::{
    model::{
        account::{Account, AccountKey, AccountStatus},
        name::{ConnectionId, IntegrationKey},
        time::Timestamp,
    },
    store::{
        error::Error,
        ports::{
            StoreFuture,
            accounts::{
                AccountCursor, AccountFilter, AccountOrder, AccountPage, AccountQuery, Accounts,
                Choice, NAMED, NewAccount, Use,
            },
        },
        sqlite::{fault::Fault, file::Sqlite, rows, tokens},
    },
    vault::Ring,
};

impl Accounts for Sqlite {
    fn get<'a>(&'a self, key: &'a AccountKey) -> StoreFuture<'a, Option<Account>> {
        let (ring, key) = (Arc::clone(&self.ring), key.clone());
        self.look(move |db| tokens::account(db, &ring, &key))
    }

    fn choose<'a>(&'a self, integration: &'a IntegrationKey) -> StoreFuture<'a, Choice> {
        let (ring, integration) = (Arc::clone(&self.ring), integration.clone());
        self.look(move |db| choose(db, &ring, &integration))
    }

    fn page(&self, query: AccountQuery) -> StoreFuture<'_, AccountPage> {
        let ring = Arc::clone(&self.ring);
        self.read(move |db| page(db, &ring, &query))
    }

    fn count(&self, filter: AccountFilter) -> StoreFuture<'_, u64> {
        let ring = Arc::clone(&self.ring);
        self.read(move |db| {
            let conditions = Conditions::of(&filter);
            if filter.status.is_some() {
                let mut count = 0;
                conditions.find(db, &ring, "", |_| {
                    count += 1;
                    true
                })?;
                return Ok(count);
            }
            let sql = format!("SELECT count(*) FROM accounts AS a WHERE {}", conditions.text());
            let mut statement = db.prepare_cached(&sql)?;
            let count = statement.query_row(conditions.values().as_slice(), |row| row.get(0))?;
            Ok(rows::unsigned(count))
        })
    }

    fn add_many(&self, new: Vec<NewAccount>) -> StoreFuture<'_, Vec<Result<Account, Error>>> {
        let (ring, now) = (Arc::clone(&self.ring), self.clock.now());
        Self::change(self, move |db| {
            let add = |new| match tokens::add(db, &ring, new, now) {
                Err(Fault::Plain(refused @ Error::Exists { .. })) => Ok(Err(refused)),
                other => other.map(Ok),
            };
            new.into_iter().map(add).collect()
        })
    }

    fn change(&self, account: Account) -> StoreFuture<'_, Account> {
        let (ring, now) = (Arc::clone(&self.ring), self.clock.now());
        Self::change(self, move |db| change(db, &ring, &account, now))
    }

    fn retire<'a>(&'a self, key: &'a AccountKey, revoke: bool) -> StoreFuture<'a, bool> {
        let (key, now) = (key.clone(), self.clock.now());
        Self::change(self, move |db| {
            if revoke {
                db.prepare_cached(
                    "INSERT INTO revocations (integration, id, connection_config, sealed, attempts,
                        reason, created_at)
                    SELECT a.integration, a.id, a.connection_config, s.sealed, 0, '', ?3
                    FROM accounts AS a JOIN secrets AS s ON s.account = a.number
                    WHERE a.integration = ?1 AND a.id = ?2",
                )?
                .execute((&key.integration, &key.id, now.0))?;
            }
            let sql = "DELETE FROM accounts WHERE integration = ?1 AND id = ?2";
            Ok(db.prepare_cached(sql)?.execute((&key.integration, &key.id))? > 0)
        })
    }

    fn touch(&self, key: AccountKey, by: Use) {
        let now = self.clock.now();
        self.note(move |db| {
            db.prepare_cached(
                "UPDATE accounts SET last_fetched_at = max(coalesce(last_fetched_at, ?3), ?3),
                    last_used_at = CASE WHEN ?4 THEN max(coalesce(last_used_at, ?3), ?3)
                        ELSE last_used_at END
                WHERE integration = ?1 AND id = ?2",
            )?
            .execute((key.integration, key.id, now.0, by == Use::Run))?;
            Ok(())
        });
    }
}

/// Looks at two rows: it costs among thousands what it costs among ten.
fn choose(db: &Database, ring: &Ring, integration: &IntegrationKey) -> Result<Choice, Fault> {
    let ids = |limit: u32| -> Result<Vec<ConnectionId>, Fault> {
        db.prepare_cached("SELECT id FROM accounts WHERE integration = ?1 ORDER BY id LIMIT ?2")?
            .query_map((integration, limit), |row| row.get(0))?
            .map(|id| Ok(id?))
            .collect()
    };
    let mut first = ids(2)?;
    let id = match (first.pop(), first.pop()) {
        (None, _) => return Ok(Choice::None),
        (Some(only), None) => only,
        (Some(_), Some(_)) => ConnectionId::usual(),
    };
    match tokens::account(db, ring, &AccountKey { integration: integration.clone(), id })? {
        Some(account) => Ok(Choice::One(Box::new(account))),
        None => Ok(Choice::Several(ids(NAMED)?)),
    }
}

fn page(db: &Database, ring: &Ring, query: &AccountQuery) -> Result<AccountPage, Fault> {
    let AccountQuery { filter, order, after, limit } = query;
    let mut conditions = Conditions::of(filter);
    match (order, after) {
        (_, None) => {}
        (AccountOrder::Name, Some(AccountCursor::Name(key))) => {
            let after = [&key.integration.to_string(), &key.id.to_string()];
            // Under one integration the pair would be compared with each of its rows.
            if filter.integration.is_some() {
                conditions.add("a.id > ?", [&key.id]);
            }
            conditions.add("(a.integration, a.id) > (?, ?)", after);
        }
        (AccountOrder::Created, Some(AccountCursor::Time(time, number))) => {
            conditions.add("(a.created_at, a.number) < (?, ?)", [&time.0, number]);
        }
        (AccountOrder::Updated, Some(AccountCursor::Time(time, number))) => {
            conditions.add("(a.updated_at, a.number) < (?, ?)", [&time.0, number]);
        }
        // A cursor of another order fits no row.
        (_, Some(_)) => conditions.add::<i64, 0>("0", []),
    }
    let order_by = match order {
        AccountOrder::Name => "a.integration, a.id",
        AccountOrder::Created => "a.created_at DESC, a.number DESC",
        AccountOrder::Updated => "a.updated_at DESC, a.number DESC",
    };
    let most = usize::try_from(*limit).unwrap_or(usize::MAX);
    // Only the rows tell which of them have a status.
    let rows = if filter.status.is_some() { -1 } else { i64::from(*limit) };
    let mut accounts = Vec::new();
    let order_by = format!("ORDER BY {order_by} LIMIT {rows}");
    let seen = conditions.find(db, ring, &order_by, |account| {
        if accounts.len() < most {
            accounts.push(account);
        }
        accounts.len() < most
    })?;
    let next = accounts.last().filter(|_| seen >= most).map(|last| order.cursor(last));
    Ok(AccountPage { accounts, next })
}

fn change(db: &Database, ring: &Ring, account: &Account, now: Timestamp) -> Result<Account, Fault> {
    let end_user = account.end_user.as_ref();
    let organization = account.organization.as_ref();
    let changed = db
        .prepare_cached(
            "UPDATE accounts SET version = version + 1, metadata = ?5, end_user_id = ?6,
                end_user_email = ?7, end_user_name = ?8, organization_id = ?9,
                organization_name = ?10, webhook_url_override = ?11, updated_at = ?12,
                connection_config = ?13, account_id = ?14, account_name = ?15
            WHERE integration = ?1 AND id = ?2 AND version = ?3 AND incarnation = ?4",
        )?
        .execute((
            &account.integration,
            &account.id,
            account.version,
            &account.incarnation,
            account.metadata.to_string(),
            end_user.map(|user| &user.id),
            end_user.and_then(|user| user.email.as_ref()),
            end_user.and_then(|user| user.display_name.as_ref()),
            organization.map(|one| &one.id),
            organization.and_then(|one| one.display_name.as_ref()),
            &account.webhook_url_override,
            now.0,
            account.connection_config.to_string(),
            &account.account_id,
            &account.account_name,
        ))?;
    let (integration, id) = (account.integration.clone(), account.id.clone());
    let overtaken = || Error::Changed { integration, id };
    if changed == 0 {
        return Err(overtaken().into());
    }
    rows::put_tags(db, account.number, &account.tags)?;
    Ok(tokens::account(db, ring, &account.key())?.ok_or_else(overtaken)?)
}

/// Conditions of a `WHERE`, their values in order, and what SQL cannot tell.
#[derive(Default)]
struct Conditions {
    parts: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
    /// As [`rows::account`] gives it: a damaged account has another status in its column.
    status: Option<AccountStatus>,
}

impl Conditions {
    fn of(filter: &AccountFilter) -> Self {
        let mut all = Self::default();
        if let Some(integration) = &filter.integration {
            all.add("a.integration = ?", [integration]);
        }
        all.status = filter.status;
        if let Some(status) = filter.status.filter(|status| *status != AccountStatus::Damaged) {
            all.add("a.status = ?", [&status.as_str().to_owned()]);
        }
        for (name, value) in &filter.tags {
            let sql = "a.number IN (SELECT account FROM tags WHERE name = ? AND value = ?)";
            all.add(sql, [name, value]);
        }
        if let Some(user) = &filter.end_user {
            all.add("a.end_user_id = ?", [user]);
        }
        if let Some(organization) = &filter.organization {
            all.add("a.organization_id = ?", [organization]);
        }
        if let Some(text) = &filter.search {
            // `lower` of SQLite knows ASCII alone.
            let text = &text.to_ascii_lowercase();
            let columns = "a.id || char(10) || coalesce(a.account_id, '') || char(10)
                || coalesce(a.account_name, '') || char(10) || coalesce(a.end_user_id, '')
                || char(10) || coalesce(a.end_user_email, '')";
            all.add(&format!("instr(lower({columns}), ?) > 0"), [text]);
        }
        all
    }

    /// Hands the accounts that match to `take`, until that says that it has enough; how many rows
    /// were looked at. `rest` is the end of the statement.
    fn find(
        &self,
        db: &Database,
        ring: &Ring,
        rest: &str,
        mut take: impl FnMut(Account) -> bool,
    ) -> Result<usize, Fault> {
        let sql = format!("{} WHERE {} {rest}", rows::select(), self.text());
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(self.values().as_slice())?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            // Without a name it can be neither shown nor named; the others can.
            let Ok(account) = rows::account(row, ring) else {
                tracing::warn!("a connection whose name cannot be read is left out");
                continue;
            };
            let fits = self.status.is_none_or(|wanted| account.status == wanted);
            if fits && !take(account) {
                break;
            }
        }
        Ok(seen)
    }

    fn add<T: ToSql + Clone + 'static, const N: usize>(&mut self, sql: &str, values: [&T; N]) {
        self.parts.push(sql.to_owned());
        self.values.extend(values.map(|value| Box::new(value.clone()) as Box<dyn ToSql>));
    }

    fn text(&self) -> String {
        if self.parts.is_empty() { "1".to_owned() } else { self.parts.join(" AND ") }
    }

    fn values(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(|value| &**value as &dyn ToSql).collect()
    }
}
