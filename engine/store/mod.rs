//! The engine's memory, behind one port a noun.
//!
//! [`ports`] says what the engine asks. [`Sqlite`] keeps it in one file, [`Memory`] nowhere.
//! Credentials are sealed by [`crate::vault`] before they reach a statement, and bound to their
//! row, so that neither the file nor its journal ever holds one in the clear, and a row that was
//! moved does not open.

use std::sync::Arc;

pub mod error;
pub mod ports;
pub mod process;
pub mod sqlite;
pub mod memory;
pub mod rotation;

pub use error::Error;
pub use memory::Memory;
pub use ports::{
    StoreFuture,
    accounts::{
        AccountCursor, AccountFilter, AccountOrder, AccountPage, AccountQuery, Accounts, Choice,
        NAMED, NewAccount,
    },
    audit::{Audit, AuditEntry, AuditRow},
    consents::{Consent, ConsentResult, Consents},
    jobs::{JobAsk, JobClaim, JobHeld, JobKey, Jobs},
    leases::Leases,
    limits::{LimitRow, Limits},
    revocations::{Revocation, Revocations},
    runs::{RunFilter, Runs},
    sealing::{KeyUse, ResealCursor, Resealed, Sealing},
    secrets::{Basis, LeaseAnswer, LeaseAsk, LeaseHeld, NewTokens, Secrets, Verdict},
};
pub use rotation::{KeyState, Rotation};
pub use sqlite::{Opening, Sqlite};

use crate::vault::Ring;

/// All ports of one store.
#[derive(Clone)]
pub struct Store {
    /// Accounts.
    pub accounts: Arc<dyn Accounts>,
    /// Their secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Records of runs.
    pub runs: Arc<dyn Runs>,
    /// Idempotency keys.
    pub jobs: Arc<dyn Jobs>,
    /// Sign-ins under way.
    pub consents: Arc<dyn Consents>,
    /// Rate limits.
    pub limits: Arc<dyn Limits>,
    /// Single owners.
    pub leases: Arc<dyn Leases>,
    /// Who did what.
    pub audit: Arc<dyn Audit>,
    /// Tokens to be taken back.
    pub revocations: Arc<dyn Revocations>,
    /// Which key seals.
    pub sealing: Arc<dyn Sealing>,
    /// The keys.
    pub ring: Arc<Ring>,
}

impl Store {
    /// All ports of one adapter.
    pub fn of<A>(adapter: A, ring: Arc<Ring>) -> Self
    where
        A: Accounts
            + Secrets
            + Runs
            + Jobs
            + Consents
            + Limits
            + Leases
            + Audit
            + Revocations
            + Sealing
            + 'static,
    {
        let adapter = Arc::new(adapter);
        Self {
            accounts: Arc::<A>::clone(&adapter),
            secrets: Arc::<A>::clone(&adapter),
            runs: Arc::<A>::clone(&adapter),
            jobs: Arc::<A>::clone(&adapter),
            consents: Arc::<A>::clone(&adapter),
            limits: Arc::<A>::clone(&adapter),
            leases: Arc::<A>::clone(&adapter),
            audit: Arc::<A>::clone(&adapter),
            revocations: Arc::<A>::clone(&adapter),
            sealing: adapter,
            ring,
        }
    }
}

#[cfg(test)]
pub(crate) mod suite;
