//! Records of runs.

use crate::{
    model::{
        record::{AttemptRecord, RunRecord, RunStatus},
        time::Timestamp,
    },
    store::{
        memory::state::{Memory, State},
        ports::{
            StoreFuture,
            runs::{RunFilter, Runs},
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
