//! Which key seals, and what each has sealed.

use crate::{store::ports::future::StoreFuture, vault::KeyId};

/// See the module.
pub trait Sealing: Send + Sync {
    /// The proof of the key that seals: every process follows it at its next write.
    fn proof(&self) -> StoreFuture<'_, Vec<u8>>;
    /// Lets the first key of the source seal from here on; if it does already and `make` says so, a
    /// new one that is put in front of the others in their file, while nobody else can rotate or
    /// forget. Whether one was made. Durable.
    fn advance(&self, make: bool) -> StoreFuture<'_, bool>;
    /// How many values each key has sealed.
    fn uses(&self) -> StoreFuture<'_, Vec<KeyUse>>;
    /// Seals some values of other keys again with the one that seals. What does not open stays as
    /// it is. Generations and versions stay: nothing has changed for anybody. Durable.
    fn reseal(&self, after: ResealCursor) -> StoreFuture<'_, Resealed>;
    /// Removes keys that have sealed nothing from their file, while nobody can seal; how many.
    fn forget(&self) -> StoreFuture<'_, u64>;
}

/// What a key has sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key: KeyId,
    /// How many values.
    pub values: u64,
}

/// How far [`Sealing::reseal`] has come: the kind of the last row, and its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResealCursor {
    /// Counted from 0.
    pub table: usize,
    /// The last row.
    pub row: i64,
}

/// What one [`Sealing::reseal`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed again.
    pub values: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<ResealCursor>,
}
