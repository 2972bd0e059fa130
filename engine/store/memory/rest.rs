//! Everything else.

use std::time::Duration;

use serde_json::Value;

use crate::{
    model::{
        account::Connection,
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
    store::{
        memory::{
            accounts,
            state::{Bucket, Held, Memory, SignIn, State},
        },
        ports::{
            StoreFuture,
            accounts::NewAccount,
            audit::{Audit, AuditEntry, AuditRow},
            consents::{Consent, ConsentResult, ConsentTake, Consents},
            leases::Leases,
            limits::{LimitRow, Limits},
            permits::{PermitAsk, Permits},
            revocations::{Revocation, Revocations},
            runs::{RunFilter, Runs},
            sealing::{KeyUse, ResealCursor, Resealed, Sealing},
        },
    },
};

impl Runs for Memory {
    fn begin(&self, run: RunRecord) -> StoreFuture<'_, ()> {
        self.at_once(move |state| {
            state.runs.push((run, Vec::new()));
            Ok(())
        })
    }

    fn note(&self, run: RunRecord, attempts: Vec<AttemptRecord>) {
        write(&mut self.state(), run, attempts);
    }

    fn finish(&self, run: RunRecord, attempts: Vec<AttemptRecord>) -> StoreFuture<'_, ()> {
        self.at_once(move |state| {
            write(state, run, attempts);
            Ok(())
        })
    }

    fn get<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<RunRecord>> {
        self.at_once(move |state| {
            let all = state.runs.iter().map(|(run, _)| run).filter(|run| run.id.starts_with(id));
            let mut found: Vec<&RunRecord> = all.collect();
            found.sort_by_key(|run| run.id.len());
            Ok(match found.as_slice() {
                [first, rest @ ..] if rest.is_empty() || first.id == id => Some((*first).clone()),
                _ => None,
            })
        })
    }

    fn attempts<'a>(&'a self, run: &'a str) -> StoreFuture<'a, Vec<AttemptRecord>> {
        self.at_once(move |state| {
            let found = state.runs.iter().find(|(one, _)| one.id == run);
            Ok(found.map(|(_, attempts)| attempts.clone()).unwrap_or_default())
        })
    }

    fn page(&self, filter: RunFilter) -> StoreFuture<'_, Vec<RunRecord>> {
        self.at_once(move |state| {
            let RunFilter { integration, action, connection, status, limit } = filter;
            let is = |wanted: &Option<String>, found: &str| {
                wanted.as_ref().is_none_or(|wanted| wanted == found)
            };
            let fits = |run: &&RunRecord| {
                is(&integration, &run.integration)
                    && is(&action, &run.action)
                    && is(&connection, &run.connection)
                    && status.is_none_or(|status| status == run.status)
            };
            let mut found: Vec<RunRecord> =
                state.runs.iter().rev().map(|(run, _)| run).filter(fits).cloned().collect();
            found.sort_by_key(|run| std::cmp::Reverse(run.started_at));
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(found)
        })
    }

    fn prune(&self, before: Timestamp, limit: u32) -> StoreFuture<'_, u64> {
        self.at_once(move |state| {
            let mut removed = 0;
            state.runs.retain(|(run, _)| {
                let stays = run.started_at >= before || run.status == RunStatus::Running;
                let stays = stays || removed >= u64::from(limit);
                removed += u64::from(!stays);
                stays
            });
            Ok(removed)
        })
    }
}

fn write(state: &mut State, run: RunRecord, attempts: Vec<AttemptRecord>) {
    match state.runs.iter_mut().find(|(one, _)| one.id == run.id) {
        Some((record, all)) => {
            *record = run;
            all.extend(attempts);
        }
        None => state.runs.push((run, attempts)),
    }
}

impl Consents for Memory {
    fn put(&self, consent: Consent) -> StoreFuture<'_, ()> {
        self.at_once(move |state| {
            let sign_in = SignIn { taken: false, result: None, consent };
            state.consents.insert(sign_in.consent.state_hash.clone(), sign_in);
            Ok(())
        })
    }

    fn take<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentTake> {
        self.at_once(move |state| {
            let now = self.clock.now();
            Ok(match state.consents.get_mut(state_hash) {
                None => ConsentTake::Unknown,
                Some(one) if one.taken => ConsentTake::Used,
                Some(one) if one.consent.expires_at <= now => ConsentTake::Expired,
                Some(one) => {
                    one.taken = true;
                    ConsentTake::Taken(Box::new(one.consent.clone()))
                }
            })
        })
    }

    fn finish<'a>(
        &'a self,
        state_hash: &'a str,
        result: Value,
        account: Option<NewAccount>,
    ) -> StoreFuture<'a, ()> {
        self.at_once(move |state| {
            if let Some(account) = account {
                accounts::add(state, &*self.clock, account)?;
            }
            if let Some(one) = state.consents.get_mut(state_hash) {
                one.taken = true;
                one.result = Some(result);
            }
            Ok(())
        })
    }

    fn result<'a>(&'a self, state_hash: &'a str) -> StoreFuture<'a, ConsentResult> {
        self.at_once(move |state| {
            Ok(match state.consents.get(state_hash).map(|one| &one.result) {
                None => ConsentResult::Unknown,
                Some(None) => ConsentResult::Pending,
                Some(Some(result)) => ConsentResult::Done(result.clone()),
            })
        })
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        self.at_once(move |state| {
            let all = state.consents.len();
            state.consents.retain(|_, one| one.consent.expires_at >= before);
            Ok((all - state.consents.len()) as u64)
        })
    }
}

impl Limits for Memory {
    fn read<'a>(&'a self, bucket: &'a str) -> StoreFuture<'a, LimitRow> {
        self.at_once(move |state| {
            let row = state.limits.get(bucket);
            let (version, state) =
                row.map_or((0, None), |row| (row.version, Some(row.state.clone())));
            Ok(LimitRow { now: self.clock.now(), version, state })
        })
    }

    fn swap<'a>(&'a self, bucket: &'a str, version: i64, new: String) -> StoreFuture<'a, bool> {
        self.at_once(move |state| {
            let stored = state.limits.get(bucket).map_or(0, |row| row.version);
            if stored == version {
                let updated_at = self.clock.now();
                let row = Bucket { version: version + 1, state: new, updated_at };
                state.limits.insert(bucket.to_owned(), row);
            }
            Ok(stored == version)
        })
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        self.at_once(move |state| {
            let all = state.limits.len();
            state.limits.retain(|_, row| row.updated_at >= before);
            Ok((all - state.limits.len()) as u64)
        })
    }
}

impl Permits for Memory {
    fn hold(&self, ask: PermitAsk) -> StoreFuture<'_, u32> {
        self.at_once(move |state| {
            let PermitAsk { bucket, holder, most, wanted, term } = ask;
            let now = self.clock.boot();
            let held = state.permits.entry(bucket).or_default();
            held.retain(|other, (_, until)| *other == holder || now < *until);
            let others = held.iter().filter(|(other, _)| **other != holder);
            let taken: u32 = others.map(|(_, (places, _))| places).sum();
            let places = most.saturating_sub(taken).min(wanted);
            if places == 0 {
                held.remove(&holder);
            } else {
                held.insert(holder, (places, now + term));
            }
            Ok(places)
        })
    }
}

impl Leases for Memory {
    fn take<'a>(
        &'a self,
        key: &'a str,
        holder: &'a str,
        term: Duration,
    ) -> StoreFuture<'a, Option<i64>> {
        self.at_once(move |state| {
            let now = self.clock.boot();
            let old = state.leases.get(key);
            let mine = old.is_some_and(|old| old.holder == holder);
            if !mine && old.is_some_and(|old| now < old.until) {
                return Ok(None);
            }
            let fence = old.map_or(0, |old| old.fence) + i64::from(!mine);
            let held = Held { holder: holder.to_owned(), fence, until: now + term };
            state.leases.insert(key.to_owned(), held);
            Ok(Some(fence))
        })
    }

    fn release<'a>(&'a self, key: &'a str, holder: &'a str) -> StoreFuture<'a, ()> {
        self.at_once(move |state| {
            if let Some(held) = state.leases.get_mut(key).filter(|held| held.holder == holder) {
                held.holder.clear();
                held.until = Duration::ZERO;
            }
            Ok(())
        })
    }
}

impl Audit for Memory {
    fn append(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()> {
        self.at_once(move |state| {
            for entry in entries {
                state.numbers += 1;
                let row = AuditRow { number: state.numbers, at: self.clock.now(), entry };
                state.audit.push(row);
            }
            Ok(())
        })
    }

    fn page(&self, before: Option<i64>, limit: u32) -> StoreFuture<'_, Vec<AuditRow>> {
        self.at_once(move |state| {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let older = |row: &&AuditRow| before.is_none_or(|before| row.number < before);
            Ok(state.audit.iter().rev().filter(older).take(limit).cloned().collect())
        })
    }

    fn prune(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        self.at_once(move |state| {
            let all = state.audit.len();
            state.audit.retain(|row| row.at >= before);
            Ok((all - state.audit.len()) as u64)
        })
    }
}

impl Revocations for Memory {
    fn pending(&self) -> StoreFuture<'_, Vec<Revocation>> {
        self.at_once(|state| Ok(state.revocations.iter().map(|(one, _)| one.clone()).collect()))
    }

    fn open(&self, number: i64) -> StoreFuture<'_, Option<Connection>> {
        self.at_once(move |state| {
            let found = state.revocations.iter().find(|(one, _)| one.number == number);
            Ok(found.map(|(_, connection)| connection.clone()))
        })
    }

    fn settle(&self, number: i64, reason: Option<String>) -> StoreFuture<'_, ()> {
        self.at_once(move |state| {
            let Some(reason) = reason else {
                state.revocations.retain(|(one, _)| one.number != number);
                return Ok(());
            };
            if let Some((one, _)) =
                state.revocations.iter_mut().find(|(one, _)| one.number == number)
            {
                one.attempts += 1;
                one.reason = reason;
            }
            Ok(())
        })
    }
}

impl Sealing for Memory {
    fn proof(&self) -> StoreFuture<'_, Vec<u8>> {
        self.at_once(|_| Ok(Vec::new()))
    }

    fn advance(&self, _make: bool) -> StoreFuture<'_, bool> {
        self.at_once(|_| Ok(false))
    }

    fn uses(&self) -> StoreFuture<'_, Vec<KeyUse>> {
        self.at_once(|_| Ok(Vec::new()))
    }

    fn reseal(&self, _after: ResealCursor) -> StoreFuture<'_, Resealed> {
        self.at_once(|_| Ok(Resealed { values: 0, next: None }))
    }

    fn forget(&self) -> StoreFuture<'_, u64> {
        self.at_once(|_| Ok(0))
    }
}
