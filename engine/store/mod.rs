//! The engine's memory, behind one port a noun.
//!
//! [`ports`] says what the engine asks. [`Sqlite`] keeps it in one file, [`Memory`] nowhere.
//! Credentials are sealed by [`crate::vault`] before they reach a statement, and bound to their
//! row, so that neither the file nor its journal ever holds one in the clear, and a row that was
//! moved does not open.

pub mod error;
pub mod ports;
pub mod process;
pub mod handle;
pub mod rotation;
pub mod sqlite;
pub mod memory;
#[cfg(test)]
pub(crate) mod suite;

pub use error::Error;
pub use handle::Store;
pub use memory::Memory;
pub use ports::{
    StoreFuture,
    accounts::{
        AccountCursor, AccountFilter, AccountOrder, AccountPage, AccountQuery, Accounts, Choice,
        NAMED, NewAccount, Use,
    },
    audit::{Audit, AuditEntry, AuditRow},
    consents::{Consent, ConsentResult, ConsentTake, Consents},
    jobs::{JobAsk, JobClaim, JobEnd, JobHeld, JobKey, Jobs},
    keys::Keys,
    leases::Leases,
    limits::{LimitRow, Limits},
    permits::{PermitAsk, Permits},
    revocations::{Revocation, Revocations},
    runs::{RunFilter, Runs},
    sealing::{KeyUse, ResealCursor, Resealed, Sealing},
    secrets::{Basis, LeaseAnswer, LeaseAsk, LeaseHeld, NewTokens, Retraction, Secrets, Verdict},
};
pub use rotation::{KeyState, Rotation};
pub use sqlite::{Opening, Sqlite};
