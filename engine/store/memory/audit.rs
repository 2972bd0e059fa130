//! Who opened or changed what.

use crate::{
    model::time::Timestamp,
    store::{
        memory::state::Memory,
        ports::{
            StoreFuture,
            audit::{Audit, AuditEntry, AuditRow},
        },
    },
};

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
