//! The hosts that all runs of a process ask: see [`Health`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use url::{Position, Url};

use crate::{
    model::retry::{CircuitPolicy, RetryPolicy},
    policy::health::{Entry, Health},
};

/// Above this number, hosts of which nothing matters are forgotten.
const MANY: usize = 1000;

/// All hosts that were asked.
#[derive(Default)]
pub struct Hosts(Mutex<HashMap<String, Arc<Host>>>);

/// One of them.
pub struct Host {
    name: String,
    health: Mutex<Health>,
    /// Told when its circuit closes.
    closed: Notify,
}

/// A request on its way to a host. Dropped, it says nothing of the host: it was not sent, or nobody
/// waited for its answer.
pub struct Asking {
    host: Arc<Host>,
    /// It tries whether the host is back.
    tries: bool,
}

impl Hosts {
    /// The host of a URL: scheme, name and port.
    pub fn of(&self, url: &Url, now: Duration) -> Arc<Host> {
        let name = &url[..Position::BeforePath];
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        if hosts.len() >= MANY {
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || !host.health().is_idle(now));
        }
        let host = Arc::new(Host {
            name: name.to_owned(),
            health: Mutex::default(),
            closed: Notify::new(),
        });
        hosts.insert(name.to_owned(), Arc::clone(&host));
        host
    }
}

impl Host {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Scheme, name and port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For how long nothing may be sent to it, if so.
    pub fn is_closed_for(&self, policy: CircuitPolicy, now: Duration) -> Option<Duration> {
        self.health().peek(policy, now)
    }

    /// Asked right before a request is sent; the error is the time until one may be.
    pub fn enter(
        self: &Arc<Self>,
        policy: CircuitPolicy,
        now: Duration,
    ) -> Result<Asking, Duration> {
        let tries = match self.health().enter(policy, now) {
            Entry::Go => false,
            Entry::Try => true,
            Entry::Wait(wait) => return Err(wait),
        };
        Ok(Asking { host: Arc::clone(self), tries })
    }

    /// Resolves when its circuit closes after this was called.
    pub fn reopened(&self) -> impl Future<Output = ()> + '_ {
        self.closed.notified()
    }

    /// One of its requests will be repeated.
    pub fn repeat(&self, now: Duration) {
        self.health().repeat(now);
    }

    /// Whether one more of its requests may be a repeated one.
    pub fn spares(&self, policy: &RetryPolicy, now: Duration) -> bool {
        self.health().spares(policy, now)
    }
}

impl Asking {
    /// It is sent now, for the first time.
    pub fn count(&self, now: Duration) {
        self.host.health().count(now);
    }

    /// The host has answered.
    pub fn succeeded(mut self) {
        self.tries = false;
        if self.host.health().succeeded() {
            self.host.closed.notify_waiters();
        }
    }

    /// It has not, or said that it cannot. Whether its circuit is open because of this.
    pub fn failed(mut self, policy: CircuitPolicy, now: Duration) -> bool {
        self.tries = false;
        self.host.health().failed(policy, now)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.tries {
            self.host.health().let_go();
            self.host.closed.notify_waiters();
        }
    }
}
