//! The states of rate limits.

use crate::{
    model::time::Timestamp,
    store::{
        memory::state::{Bucket, Memory},
        ports::{
            StoreFuture,
            limits::{LimitRow, Limits},
        },
    },
};

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
