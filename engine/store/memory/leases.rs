//! Single owners.

use std::time::Duration;

use crate::store::{
    memory::state::{Held, Memory},
    ports::{StoreFuture, leases::Leases},
};

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
