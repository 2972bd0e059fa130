//! What it holds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::Clock,
    model::{
        account::{AccountKey, Connection},
        api_key::ApiKey,
        record::{AttemptRecord, RunRecord},
        time::Timestamp,
    },
    store::{
        error::Error,
        handle::Store,
        ports::{
            StoreFuture,
            audit::AuditRow,
            consents::Consent,
            jobs::{JobEnd, JobKey},
            revocations::Revocation,
        },
    },
    vault::{self, Ring, key},
};

/// See the module. Clones share what they hold.
#[derive(Clone)]
pub struct Memory {
    pub(super) clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    pub accounts: BTreeMap<AccountKey, Row>,
    pub numbers: i64,
    pub runs: Vec<(RunRecord, Vec<AttemptRecord>)>,
    pub jobs: BTreeMap<JobKey, Job>,
    pub consents: BTreeMap<String, SignIn>,
    pub limits: BTreeMap<String, Bucket>,
    /// By bucket and holder: how many, and until when on the boot clock.
    pub permits: BTreeMap<String, BTreeMap<String, (u32, Duration)>>,
    pub leases: BTreeMap<String, Held>,
    pub audit: Vec<AuditRow>,
    /// With the number of the last change.
    pub keys: (Vec<ApiKey>, i64),
    pub revocations: Vec<(Revocation, Connection)>,
}

/// An account, and who may renew its tokens.
pub struct Row {
    pub connection: Connection,
    pub parent: Option<i64>,
    pub token_fence: i64,
    pub lease: Option<Held>,
    pub damaged: bool,
}

/// A lease.
#[derive(Clone)]
pub struct Held {
    pub holder: String,
    pub fence: i64,
    /// On the boot clock.
    pub until: Duration,
}

pub struct Job {
    pub body_hash: String,
    pub claim: i64,
    pub holder: String,
    pub until: Timestamp,
    /// When the key was first used.
    pub at: Timestamp,
    /// `None`: its holder works, or is dead.
    pub end: Option<JobEnd>,
}

pub struct SignIn {
    pub consent: Consent,
    pub taken: bool,
    pub result: Option<serde_json::Value>,
}

pub struct Bucket {
    pub version: i64,
    pub state: String,
    pub updated_at: Timestamp,
}

impl Memory {
    /// An empty one on this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// All its ports.
    pub fn into_store(self) -> Result<Store, vault::Error> {
        let ring = Arc::new(Ring::new(vec![key::fleeting()?], None));
        Ok(Store::of(self, ring))
    }

    /// Lets an account be as if its row were damaged.
    pub fn damage(&self, key: &AccountKey) {
        if let Some(row) = self.state().accounts.get_mut(key) {
            row.damaged = true;
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction.
    pub(super) fn at_once<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut State) -> Result<T, Error> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        // When it is asked for, not when it is called: as with every other store.
        Box::pin(async move {
            let mut state = self.state();
            work(&mut state)
        })
    }
}
