//! Secrets, and who may renew them.

use std::time::Duration;

use crate::{
    model::{
        account::{AccountKey, AccountStatus, Connection},
        time::Timestamp,
    },
    store::{
        error::Error,
        memory::{
            accounts,
            state::{Held, Memory, Row, State},
        },
        ports::{
            StoreFuture,
            secrets::{
                Basis, LeaseAnswer, LeaseAsk, LeaseHeld, NewTokens, Retraction, Secrets, Verdict,
            },
        },
    },
};

impl Secrets for Memory {
    fn open<'a>(&'a self, key: &'a AccountKey) -> StoreFuture<'a, Option<Connection>> {
        self.at_once(move |state| state.accounts.get(key).map(open).transpose())
    }

    fn lease(&self, ask: LeaseAsk) -> StoreFuture<'_, LeaseAnswer> {
        self.at_once(move |state| {
            let now = self.clock.boot();
            let row = state.accounts.get_mut(&ask.key);
            let same = |row: &&mut Row| {
                let Connection { account, secrets } = &row.connection;
                secrets.generation == ask.generation && account.incarnation == ask.incarnation
            };
            let Some(row) = row.filter(same) else {
                return Ok(LeaseAnswer::Overtaken);
            };
            if row.lease.as_ref().is_some_and(|held| now < held.until) {
                return Ok(LeaseAnswer::Taken);
            }
            row.connection.secrets.fence += 1;
            let fence = row.connection.secrets.fence;
            row.lease = Some(Held { holder: ask.holder, fence, until: now + ask.term });
            Ok(LeaseAnswer::Granted(Box::new(open(row)?)))
        })
    }

    fn renew<'a>(&'a self, held: &'a LeaseHeld, term: Duration) -> StoreFuture<'a, bool> {
        self.at_once(move |state| {
            let until = self.clock.boot() + term;
            let lease = leased(state, held).and_then(|row| row.lease.as_mut());
            Ok(lease.map(|lease| lease.until = until).is_some())
        })
    }

    fn release<'a>(&'a self, held: &'a LeaseHeld) -> StoreFuture<'a, ()> {
        self.at_once(move |state| {
            if let Some(row) = leased(state, held) {
                row.lease = None;
            }
            Ok(())
        })
    }

    fn keep(&self, tokens: NewTokens) -> StoreFuture<'_, bool> {
        self.at_once(move |state| {
            let NewTokens { basis, credentials, scopes, saved } = tokens;
            let Some(row) = same(state, &basis) else { return Ok(false) };
            let secrets = &mut row.connection.secrets;
            let later = row.parent == Some(basis.generation) && row.token_fence < basis.fence;
            if secrets.generation != basis.generation && !later {
                return Ok(false);
            }
            secrets.generation = basis.generation + 1;
            secrets.credentials = credentials;
            row.parent = Some(basis.generation);
            row.token_fence = basis.fence;
            row.damaged = false;
            if secrets.fence == basis.fence {
                row.lease = None;
            }
            let account = &mut row.connection.account;
            account.version += 1;
            account.status = AccountStatus::Active;
            account.status_reason = None;
            account.failures = 0;
            account.refresh_failure = None;
            account.refresh_retry_at = None;
            account.updated_at = self.clock.now();
            account.last_refreshed_at = Some(self.clock.now());
            account.last_fetched_at = Some(self.clock.now());
            account.scopes = scopes.or(account.scopes.take());
            if let Some(values) = account.connection_config.as_object_mut() {
                values.extend(saved);
            }
            Ok(true)
        })
    }

    fn verdict(&self, verdict: Verdict) -> StoreFuture<'_, bool> {
        self.at_once(move |state| {
            let Verdict { basis, holder, reason, retry_at } = verdict;
            let now = self.clock.boot();
            let Some(row) = same(state, &basis) else { return Ok(false) };
            let secrets = &row.connection.secrets;
            let may = match (&row.lease, holder) {
                (Some(lease), Some(holder)) => lease.holder == holder,
                (Some(lease), None) => now >= lease.until,
                (None, holder) => holder.is_none(),
            };
            if !may || secrets.generation != basis.generation || secrets.fence != basis.fence {
                return Ok(false);
            }
            row.lease = None;
            let account = &mut row.connection.account;
            account.version += 1;
            account.failures += 1;
            account.updated_at = self.clock.now();
            account.refresh_retry_at = retry_at;
            account.refresh_failure = Some(reason.clone());
            if retry_at.is_none() {
                account.status = AccountStatus::NeedsAuthorization;
                account.status_reason = Some(reason);
            }
            Ok(true)
        })
    }

    fn set_expiry(&self, basis: Basis, expires_at: Timestamp) -> StoreFuture<'_, bool> {
        self.at_once(move |state| {
            let row = same(state, &basis)
                .filter(|row| row.connection.secrets.generation == basis.generation);
            let Some(row) = row else { return Ok(false) };
            row.connection.secrets.credentials.expires_at = Some(expires_at);
            Ok(true)
        })
    }

    fn retract(&self, retraction: Retraction) -> StoreFuture<'_, bool> {
        self.at_once(move |state| {
            let Retraction { basis, credentials, reason } = retraction;
            let Some(row) = same(state, &basis) else { return Ok(false) };
            let Connection { account, secrets } = &row.connection;
            if secrets.generation != basis.generation || secrets.fence != basis.fence {
                return Ok(false);
            }
            let mut account = account.clone();
            account.version += 1;
            account.status = AccountStatus::Revoked;
            account.status_reason = Some(reason);
            account.updated_at = self.clock.now();
            accounts::replace_secrets(row, Connection::new(account, credentials));
            Ok(true)
        })
    }
}

fn open(row: &Row) -> Result<Connection, Error> {
    let secrets = row.connection.secrets.clone();
    let account = accounts::shown(row);
    if row.damaged {
        return Err(Error::Tampered { integration: account.integration, id: account.id });
    }
    Ok(Connection { account, secrets })
}

fn same<'s>(state: &'s mut State, basis: &Basis) -> Option<&'s mut Row> {
    let row = state.accounts.get_mut(&basis.key)?;
    (row.connection.account.incarnation == basis.incarnation).then_some(row)
}

fn leased<'s>(state: &'s mut State, held: &LeaseHeld) -> Option<&'s mut Row> {
    state.accounts.get_mut(&held.key).filter(|row| {
        let lease = row.lease.as_ref();
        lease.is_some_and(|lease| lease.fence == held.fence && lease.holder == held.holder)
    })
}
