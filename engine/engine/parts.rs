//! `Engine`: the parts, each made when it is first needed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::sync::OnceCell;

use crate::{
    auth::{Keeper, World},
    catalog::{Catalog, Environment, Reloaded, Snapshot},
    clock::Clock,
    engine::{ids, probe::Probe},
    error::Error,
    model::time::Timestamp,
    run::{Limiter, Services, Stop},
    settings::Settings,
    store::{Limits, Memory, Opening, Sqlite, Store},
    wire::{Live, LiveSettings, Wire},
};

/// Old runs that one command removes.
const PRUNED: u32 = 100;
/// How long sign-ins are kept after they expired: who waits for one may still ask for its result.
const KEEP_SIGN_INS: Duration = Duration::from_hours(24);
/// How long idempotency keys are kept, from their first use.
pub const KEEP_KEYS: Duration = Duration::from_hours(24);
/// How long the audit log is kept.
const KEEP_AUDIT: Duration = Duration::from_hours(400 * 24);

/// One per process. Opening it costs nothing: files, store and network are opened on first use.
pub struct Engine {
    settings: Settings,
    catalog: Catalog,
    clock: Arc<dyn Clock>,
    limiter: OnceLock<Arc<Limiter>>,
    sandbox_limiter: OnceLock<Arc<Limiter>>,
    /// One process opens it once.
    store: OnceCell<Store>,
    wire: OnceLock<Arc<dyn Wire>>,
    sandbox_wire: OnceLock<Arc<dyn Wire>>,
    keeper: OnceLock<Arc<Keeper>>,
    stop: Stop,
    probe: Probe,
}

impl Engine {
    /// An engine over a project folder, or over the built-in catalog alone.
    pub fn open(
        settings: Settings,
        environment: BTreeMap<String, String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            catalog: Catalog::open(settings.project.clone(), Environment::new(environment)),
            settings,
            clock,
            limiter: OnceLock::new(),
            sandbox_limiter: OnceLock::new(),
            store: OnceCell::new(),
            wire: OnceLock::new(),
            sandbox_wire: OnceLock::new(),
            keeper: OnceLock::new(),
            stop: Stop::default(),
            probe: Probe::default(),
        }
    }

    /// What the files say now. A call keeps it to its end: a reload does not change it.
    pub(super) fn catalog(&self) -> Arc<Snapshot> {
        self.catalog.snapshot()
    }

    /// Reads the files anew, for all calls from now on; if what worked is broken, nothing changes.
    pub fn reload(&self) -> Reloaded {
        self.catalog.reload()
    }

    /// The project folder; `None` for the built-in catalog alone.
    pub fn project(&self) -> Option<&Path> {
        self.settings.project.as_deref()
    }

    /// Time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What it was told when it was opened.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When the store was last seen to take writes.
    pub(super) fn probe(&self) -> &Probe {
        &self.probe
    }

    /// The memory; opened on first use.
    pub(super) async fn store(&self) -> Result<&Store, Error> {
        let open = || {
            Sqlite::open(Opening {
                path: self.settings.store.clone(),
                key: self.settings.key.clone(),
                environment: self.settings.environment.clone(),
                clock: Arc::clone(&self.clock),
            })
        };
        Ok(self.store.get_or_try_init(open).await?)
    }

    /// Removes what is kept no longer, a little at a time, so that no command pays for all at once.
    pub async fn prune(&self) {
        let Some(store) = self.store.get() else { return };
        let now = self.clock.now();
        let before = |age: Duration| {
            Timestamp(now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)))
        };
        for (what, pruned) in [
            ("runs", store.runs.prune(before(self.settings.keep_runs), PRUNED)),
            ("sign-ins", store.consents.prune(before(KEEP_SIGN_INS))),
            ("idempotency keys", store.jobs.expire(before(KEEP_KEYS))),
            ("audit log", store.audit.prune(before(KEEP_AUDIT))),
        ] {
            if let Err(error) = pruned.await {
                tracing::warn!(%error, what, "what is kept no longer could not be removed");
            }
        }
    }

    /// The network, under the operator's outbound policy.
    fn wire(&self) -> Result<&Arc<dyn Wire>, Error> {
        if let Some(wire) = self.wire.get() {
            return Ok(wire);
        }
        let live = Live::new(LiveSettings {
            allow: self.settings.allow_net.clone(),
            ca_file: self.settings.ca_file.clone(),
            proxy: self.settings.proxy.clone(),
            ..LiveSettings::default()
        })?;
        Ok(self.wire.get_or_init(|| Arc::new(live)))
    }

    /// The network of the sandbox: this machine, and nothing else is asked of it.
    fn sandbox_wire(&self) -> Result<&Arc<dyn Wire>, Error> {
        if let Some(wire) = self.sandbox_wire.get() {
            return Ok(wire);
        }
        let loopback = ipnet::IpNet::new_assert([127, 0, 0, 1].into(), 32);
        let live = Live::new(LiveSettings { allow: vec![loopback], ..LiveSettings::default() })?;
        Ok(self.sandbox_wire.get_or_init(|| Arc::new(live)))
    }

    /// The keeper of credentials.
    pub(super) async fn keeper(&self) -> Result<&Arc<Keeper>, Error> {
        if let Some(keeper) = self.keeper.get() {
            return Ok(keeper);
        }
        let world = World {
            secrets: Arc::clone(&self.store().await?.secrets),
            wire: Arc::clone(self.wire()?),
            clock: Arc::clone(&self.clock),
            holder: ids::run(self.clock.now()).to_string(),
        };
        Ok(self.keeper.get_or_init(|| Arc::new(Keeper::new(world))))
    }

    /// The limits, kept in the store. Those of the sandbox end with the process: an API that is
    /// played must not hold up the real one.
    async fn limiter(&self, sandbox: bool) -> Result<&Arc<Limiter>, Error> {
        let cell = if sandbox { &self.sandbox_limiter } else { &self.limiter };
        if let Some(limiter) = cell.get() {
            return Ok(limiter);
        }
        let clock = Arc::clone(&self.clock);
        let limits: Arc<dyn Limits> = if sandbox {
            Arc::new(Memory::new(Arc::clone(&clock)))
        } else {
            Arc::clone(&self.store().await?.limits)
        };
        let holder = ids::run(clock.now()).to_string();
        Ok(cell.get_or_init(|| Arc::new(Limiter::new(limits, clock, holder))))
    }

    /// What runs need, against the sandbox or the network.
    pub(super) async fn services(&self, sandbox: bool) -> Result<Services, Error> {
        let wire = if sandbox { self.sandbox_wire()? } else { self.wire()? };
        Ok(Services {
            wire: Arc::clone(wire),
            clock: Arc::clone(&self.clock),
            limiter: Arc::clone(self.limiter(sandbox).await?),
            store: Some(self.store().await?.clone()),
            stop: self.stop.clone(),
        })
    }

    /// Asks runs to end now; they say what they have done. Whether there are any.
    pub fn stop(&self) -> bool {
        self.stop.ask()
    }

    /// Whether all tokens that vendors gave are in the store, which may be full: to be asked when it
    /// was shut down.
    pub fn tokens_are_stored(&self) -> Result<(), Error> {
        let unsaved = self.keeper.get().map(|keeper| keeper.unsaved()).unwrap_or_default();
        if unsaved.is_empty() { Ok(()) } else { Err(Error::TokensLost(unsaved)) }
    }

    /// Waits for the refreshes under way, and gives back what limits were not used.
    pub async fn shutdown(&self) {
        if let Some(limiter) = self.limiter.get() {
            limiter.leave().await;
        }
        if let Some(keeper) = self.keeper.get() {
            keeper.drain().await;
        }
    }
}
