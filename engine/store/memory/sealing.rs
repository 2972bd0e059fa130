//! Nothing is sealed: there is nothing to seal again.

use crate::store::{
    memory::state::Memory,
    ports::{
        StoreFuture,
        sealing::{KeyUse, ResealCursor, Resealed, Sealing},
    },
};

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
