//! Tokens that are to be taken back.

use crate::{
    model::account::Connection,
    store::{
        memory::state::Memory,
        ports::{
            StoreFuture,
            revocations::{Revocation, Revocations},
        },
    },
};

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
