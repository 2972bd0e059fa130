//! `Store`: all ports of one store.

use std::sync::Arc;

use crate::{
    store::ports::{
        accounts::Accounts, audit::Audit, consents::Consents, jobs::Jobs, keys::Keys,
        leases::Leases, limits::Limits, permits::Permits, revocations::Revocations, runs::Runs,
        sealing::Sealing, secrets::Secrets,
    },
    vault::Ring,
};

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
    /// Requests under way.
    pub permits: Arc<dyn Permits>,
    /// Single owners.
    pub leases: Arc<dyn Leases>,
    /// The keys of the server.
    pub keys: Arc<dyn Keys>,
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
            + Permits
            + Leases
            + Keys
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
            permits: Arc::<A>::clone(&adapter),
            leases: Arc::<A>::clone(&adapter),
            keys: Arc::<A>::clone(&adapter),
            audit: Arc::<A>::clone(&adapter),
            revocations: Arc::<A>::clone(&adapter),
            sealing: adapter,
            ring,
        }
    }
}
