//! The keys of the server.

use rusqlite::{OptionalExtension, Row, named_params};
use serde_json::json;

use crate::{
    model::{
        api_key::{ApiKey, KeyRate, Narrowing},
        time::Timestamp,
    },
    store::{
        ports::{StoreFuture, keys::Keys},
        sqlite::{fault::Fault, file::Sqlite},
    },
};

const KEY: &str = "id, hash, name, scopes, integrations, actions, read_only, end_user, rate,
    concurrency, created_at, expires_at, revoked_at, last_used_at";

/// Uses that are nearer than this to the one that is noted are not written down.
const NOTED_MS: i64 = 60_000;

impl Keys for Sqlite {
    fn create(&self, key: ApiKey) -> StoreFuture<'_, ()> {
        self.change(move |db| {
            let Narrowing { integrations, actions, read_only, end_user } = key.narrowing;
            db.prepare_cached(
                "INSERT INTO keys (id, hash, name, scopes, integrations, actions, read_only,
                    end_user, rate, concurrency, created_at, expires_at, revoked_at, last_used_at,
                    revision)
                VALUES (:id, :hash, :name, :scopes, :integrations, :actions, :read_only, :end_user,
                    :rate, :concurrency, :created_at, :expires_at, :revoked_at, :last_used_at,
                    (SELECT coalesce(max(revision), 0) + 1 FROM keys))",
            )?
            .execute(named_params! {
                ":id": key.id,
                ":hash": key.hash,
                ":name": key.name,
                ":scopes": json!(key.scopes).to_string(),
                ":integrations": json!(integrations).to_string(),
                ":actions": json!(actions).to_string(),
                ":read_only": read_only,
                ":end_user": end_user,
                ":rate": key.rate.map(|rate| rate.to_string()),
                ":concurrency": key.concurrency,
                ":created_at": key.created_at.0,
                ":expires_at": key.expires_at.map(|time| time.0),
                ":revoked_at": key.revoked_at.map(|time| time.0),
                ":last_used_at": key.last_used_at.map(|time| time.0),
            })?;
            Ok(())
        })
    }

    fn by_hash<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<ApiKey>> {
        let hash = hash.to_owned();
        self.look(move |db| {
            let sql = format!("SELECT {KEY} FROM keys WHERE hash = ?1");
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query_and_then([&hash], key)?;
            found.next().transpose()
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<ApiKey>> {
        self.read(|db| {
            let sql = format!("SELECT {KEY} FROM keys ORDER BY id DESC LIMIT 1000");
            db.prepare_cached(&sql)?.query_and_then([], key)?.collect()
        })
    }

    fn revoke<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<ApiKey>> {
        let (id, now) = (id.to_owned(), self.clock.now());
        self.change(move |db| {
            db.prepare_cached(
                "UPDATE keys SET revoked_at = ?2,
                    revision = (SELECT coalesce(max(revision), 0) + 1 FROM keys)
                WHERE id = ?1 AND revoked_at IS NULL",
            )?
            .execute((&id, now.0))?;
            let sql = format!("SELECT {KEY} FROM keys WHERE id = ?1");
            let mut statement = db.prepare_cached(&sql)?;
            let mut found = statement.query_and_then([&id], key)?;
            found.next().transpose()
        })
    }

    fn revision(&self) -> StoreFuture<'_, i64> {
        self.look(|db| {
            let sql = "SELECT revision FROM keys ORDER BY revision DESC LIMIT 1";
            let found = db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
            Ok(found.unwrap_or(0))
        })
    }

    fn used(&self, id: String) {
        let now = self.clock.now().0;
        self.note(move |db| {
            db.prepare_cached(
                "UPDATE keys SET last_used_at = ?2
                WHERE id = ?1 AND coalesce(last_used_at, 0) < ?3",
            )?
            .execute((id, now, now.saturating_sub(NOTED_MS)))?;
            Ok(())
        });
    }
}

fn key(row: &Row<'_>) -> Result<ApiKey, Fault> {
    let list = |place: usize, name: &'static str| -> Result<Vec<String>, Fault> {
        let text: String = row.get(place)?;
        serde_json::from_str(&text).map_err(|_| Fault::Column(name))
    };
    let time = |place: usize| Ok::<_, Fault>(row.get::<_, Option<i64>>(place)?.map(Timestamp));
    let rate: Option<String> = row.get(8)?;
    // One that cannot be read must not become none.
    let rate = rate.map(|text| KeyRate::parse(&text).ok_or(Fault::Column("keys.rate")));
    Ok(ApiKey {
        id: row.get(0)?,
        hash: row.get(1)?,
        name: row.get(2)?,
        scopes: list(3, "keys.scopes")?,
        narrowing: Narrowing {
            integrations: list(4, "keys.integrations")?,
            actions: list(5, "keys.actions")?,
            read_only: row.get(6)?,
            end_user: row.get(7)?,
        },
        rate: rate.transpose()?,
        concurrency: row.get(9)?,
        created_at: Timestamp(row.get(10)?),
        expires_at: time(11)?,
        revoked_at: time(12)?,
        last_used_at: time(13)?,
    })
}
