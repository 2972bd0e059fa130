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
                let rest = Rest { order_by: String::new(), limit: -1 };
                conditions.find(db, &ring, &rest, |_| {
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
        let (ring, key, now) = (Arc::clone(&self.ring), key.clone(), self.clock.now());
        Self::change(self, move |db| {
            if let Some(number) = key.number() {
                let found = tokens::account(db, &ring, &key)?.is_some();
                let sql = "DELETE FROM accounts WHERE number = ?1";
                return Ok(found && db.prepare_cached(sql)?.execute([number])? > 0);
            }
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
        // One whose name cannot be read is nobody's choice; it comes last, or nearly so.
        db.prepare_cached("SELECT id FROM accounts WHERE integration = ?1 ORDER BY id LIMIT ?2")?
            .query_map((integration, limit), |row| Ok(row.get(0).ok()))?
            .filter_map(|id| Ok(id.transpose()?.ok()).transpose())
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
        (AccountOrder::Name, Some(AccountCursor::Name(key))) if key.number().is_some() => {
            let place = "(SELECT integration, id FROM accounts WHERE number = ?)";
            let number = key.number().unwrap_or_default();
            conditions.add(&format!("(a.integration, a.id) > {place}"), [&number]);
        }
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
    let rest = Rest { order_by: format!("ORDER BY {order_by}"), limit: rows };
    conditions.sparse(db, filter)?;
    let seen = conditions.find(db, ring, &rest, |account| {
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

/// What stands behind the conditions.
struct Rest {
    order_by: String,
    /// -1: all.
    limit: i64,
}

/// As many accounts with a tag are gathered and sorted; where there are more of them, a page of any
/// order is full soon.
const FEW: i64 = 2000;

/// The accounts with a tag.
const TAGGED: &str = "(SELECT account FROM tags WHERE name = ? AND value = ?)";

/// Conditions of a `WHERE`, their values in order, and what SQL cannot tell.
#[derive(Default)]
struct Conditions {
    parts: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
    /// Whether an index may give them in no order.
    is_sorted: bool,
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
        all.is_sorted = !filter.tags.is_empty()
            || filter.end_user.is_some()
            || filter.organization.is_some()
            || filter.search.is_some();
        if let Some(status) = filter.status.filter(|status| *status != AccountStatus::Damaged) {
            all.add("a.status = ?", [&status.as_str().to_owned()]);
        }
        for (name, value) in &filter.tags {
            all.add(&format!("a.number IN {TAGGED}"), [name, value]);
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

    /// Where many accounts have each of the tags, they are met in the order that is asked for: the sign
    /// keeps SQLite from gathering them all first.
    fn sparse(&mut self, db: &Database, filter: &AccountFilter) -> Result<(), Fault> {
        if filter.tags.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM tags WHERE name = ?1 AND value = ?2 LIMIT {FEW})"
        );
        let mut count = db.prepare_cached(&sql)?;
        for (name, value) in &filter.tags {
            let found: i64 = count.query_row([name, value], |row| row.get(0))?;
            if found < FEW {
                return Ok(());
            }
        }
        for part in &mut self.parts {
            if part.contains(TAGGED) {
                part.insert(0, '+');
            }
        }
        Ok(())
    }

    /// Hands the accounts that match to `take`, until that says that it has enough; how many rows
    /// were looked at.
    fn find(
        &self,
        db: &Database,
        ring: &Ring,
        Rest { order_by, limit }: &Rest,
        mut take: impl FnMut(Account) -> bool,
    ) -> Result<usize, Fault> {
        let (select, conditions) = (rows::select(), self.text());
        // What has to be sorted is sorted as numbers, not as rows with all that is sealed.
        let sql = if *limit >= 0 && self.is_sorted {
            format!(
                "{select} WHERE a.number IN (SELECT a.number FROM accounts AS a WHERE {conditions}
                {order_by} LIMIT {limit}) {order_by}"
            )
        } else {
            format!("{select} WHERE {conditions} {order_by} LIMIT {limit}")
        };
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(self.values().as_slice())?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            let account = rows::account(row, ring)?;
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
