//! Sign-ins under way.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection as Database, OptionalExtension};
use serde_json::Value;

use crate::{
    model::{
        account::{AccountKey, Credentials},
        name::Name,
        secret::Secret,
        time::Timestamp,
    },
    store::{
        ports::{
            StoreFuture,
            accounts::NewAccount,
            consents::{Consent, ConsentResult, ConsentTake, Consents},
        },
        sqlite::{fault::Fault, file::Sqlite, seals, tokens},
    },
    vault::Ring,
};

const VERIFIER: &str = "verifier";
const TOKEN_SECRET: &str = "token_secret";
/// Before the names of what was entered.
const ENTERED: &str = "credentials.";

impl Consents for Sqlite {
    fn put(&self, consent: Consent) -> StoreFuture<'_, ()> {
        let ring = Arc::clone(&self.ring);
        self.change(move |db| put(db, &ring, &consent))
    }

    fn take<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentTake> {
        let (ring, hash) = (Arc::clone(&self.ring), state_hash.to_owned());
        let now = self.clock.now();
        self.change(move |db| take(db, &ring, &hash, now))
    }

    fn finish<'a>(
        &'a self,
        state_hash: &'a str,
        result: Value,
        account: Option<NewAccount>,
    ) -> StoreFuture<'a, ()> {
        let (ring, hash) = (Arc::clone(&self.ring), state_hash.to_owned());
        let now = self.clock.now();
        self.change(move |db| {
            if let Some(account) = account {
                tokens::add(db, &ring, account, now)?;
            }
            db.prepare_cached(
                "UPDATE consents SET result = ?2, taken_at = coalesce(taken_at, ?3)
                WHERE state_hash = ?1",
            )?
            .execute((hash, result.to_string(), now.0))?;
            Ok(())
        })
    }

    fn result<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentResult> {
        let hash = state_hash.to_owned();
        self.read(move |db| {
            let found = db
                .prepare_cached("SELECT result FROM consents WHERE state_hash = ?1")?
                .query_row([hash], |row| row.get::<_, Option<String>>(0))
                .optional()?;
            Ok(match found {
                None => ConsentResult::Unknown,
                Some(None) => ConsentResult::Pending,
                Some(Some(text)) => ConsentResult::Done(json(&text, "consents.result")?),
            })
        })
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        Self::prune(self, "SELECT 1 FROM consents WHERE expires_at < ?1", before, move |db| {
            let sql = "DELETE FROM consents WHERE number IN (SELECT number FROM consents
                WHERE expires_at < ?1 ORDER BY expires_at LIMIT 1000)";
            Ok(db.execute(sql, [before.0])?)
        })
    }
}

fn put(db: &Database, ring: &Ring, consent: &Consent) -> Result<(), Fault> {
    seals::follow(db, ring)?;
    let mut sealed = Credentials::default();
    let verifier = consent.verifier.clone().map(|secret| (VERIFIER.to_owned(), secret));
    let secret = consent.token_secret.clone().map(|secret| (TOKEN_SECRET.to_owned(), secret));
    let entered = consent.credentials.iter();
    let entered = entered.map(|(name, secret)| (format!("{ENTERED}{name}"), secret.clone()));
    sealed.fields.extend(verifier.into_iter().chain(secret).chain(entered));
    sealed.connection_config.clone_from(&consent.connection_config);
    let sealed = ring.seal_credentials(CONSENT, &consent.state_hash, &sealed)?;
    db.prepare_cached(
        "INSERT INTO consents (state_hash, integration, id, sealed, redirect_uri, issuer, session,
            cookie_hash, socket_id, return_url, parameters, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute((
        &consent.state_hash,
        &consent.account.integration,
        &consent.account.id,
        sealed,
        &consent.redirect_uri,
        &consent.issuer,
        &consent.session,
        &consent.cookie_hash,
        &consent.socket_id,
        &consent.return_url,
        consent.parameters.to_string(),
        consent.expires_at.0,
    ))?;
    Ok(())
}

/// Stands for the integration where a consent is sealed: no integration has this name.
const CONSENT: &str = "/consent";

fn take(db: &Database, ring: &Ring, hash: &str, now: Timestamp) -> Result<ConsentTake, Fault> {
    let mut statement = db.prepare_cached(
        "UPDATE consents SET taken_at = ?2
        WHERE state_hash = ?1 AND taken_at IS NULL AND expires_at > ?2
        RETURNING integration, id, sealed, redirect_uri, issuer, session, cookie_hash, socket_id,
            return_url, parameters, expires_at",
    )?;
    let mut rows = statement.query((hash, now.0))?;
    let Some(row) = rows.next()? else { return not_taken(db, hash) };
    let account = AccountKey { integration: row.get(0)?, id: row.get(1)? };
    let sealed: Vec<u8> = row.get(2)?;
    let place = AccountKey { integration: Name::from_row(CONSENT), id: Name::from_row(hash) };
    let mut secrets = seals::open(ring, &place, &sealed)?;
    let connection_config = std::mem::take(&mut secrets.connection_config);
    let mut secret = |name: &str| -> Option<Secret> { secrets.fields.remove(name) };
    Ok(ConsentTake::Taken(Box::new(Consent {
        state_hash: hash.to_owned(),
        account,
        verifier: secret(VERIFIER),
        token_secret: secret(TOKEN_SECRET),
        credentials: entered(secrets.fields),
        connection_config,
        redirect_uri: row.get(3)?,
        issuer: row.get(4)?,
        session: row.get(5)?,
        cookie_hash: row.get(6)?,
        socket_id: row.get(7)?,
        return_url: row.get(8)?,
        parameters: json(&row.get::<_, String>(9)?, "consents.parameters")?,
        expires_at: Timestamp(row.get(10)?),
    })))
}

fn entered(sealed: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let name = |name: String| name.strip_prefix(ENTERED).map(str::to_owned);
    sealed.into_iter().filter_map(|(full, secret)| Some((name(full)?, secret))).collect()
}

/// Why there is nothing to take.
fn not_taken(db: &Database, hash: &str) -> Result<ConsentTake, Fault> {
    let taken = db
        .prepare_cached("SELECT taken_at IS NOT NULL FROM consents WHERE state_hash = ?1")?
        .query_row([hash], |row| row.get::<_, bool>(0))
        .optional()?;
    Ok(match taken {
        None => ConsentTake::Unknown,
        Some(true) => ConsentTake::Used,
        Some(false) => ConsentTake::Expired,
    })
}

fn json(text: &str, name: &'static str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Column(name))
}
