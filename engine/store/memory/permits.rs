//! Requests that may be under way at once.

use crate::store::{
    memory::state::Memory,
    ports::{
        StoreFuture,
        permits::{PermitAsk, Permits},
    },
};

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
