//! Work that goes on although its client is gone, and that a stop waits for.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use crate::server::problem::Problem;

/// Sign-ins at once: each writes into the store, and anybody can begin one.
const SIGN_INS: usize = 64;
/// Runs at once that go on without a client.
const RUNS: usize = 1000;
/// After this there may be a place again.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone)]
pub struct Tasks {
    under_way: watch::Sender<()>,
    sign_ins: Arc<Semaphore>,
    runs: Arc<Semaphore>,
}

/// What has places of its own.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// What follows the callback of a sign-in.
    SignIn,
    /// A run that is done once, or a change of a key.
    Run,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            under_way: watch::Sender::new(()),
            sign_ins: Arc::new(Semaphore::new(SIGN_INS)),
            runs: Arc::new(Semaphore::new(RUNS)),
        }
    }
}

impl Tasks {
    /// Does some to its end, whether its client waits or not, if there is a place for it.
    pub async fn finish<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let places = match kind {
            Kind::SignIn => &self.sign_ins,
            Kind::Run => &self.runs,
        };
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| {
            Problem::too_many(503, "too much is under way whose clients are gone", COME_AGAIN)
        })?;
        let done = self.spawn(async move {
            let done = work.await;
            drop(place);
            done
        });
        done.await.map_err(|error| {
            tracing::error!(%error, ?kind, "work was not finished");
            Problem::new(500, "server_error", "it could not be finished")
        })
    }

    /// Begins some.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let under_way = self.under_way.subscribe();
        tokio::spawn(async move {
            let done = work.await;
            drop(under_way);
            done
        })
    }

    /// Waits for all that has begun.
    pub async fn ended(&self) {
        self.under_way.closed().await;
    }
}
