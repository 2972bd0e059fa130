//! The server: the engine as other programs use it, over HTTP.
//!
//! ```text
//! http kit ─ door ─ route: which row of `TABLE`? ─ its handler ─ facade ─ view ─ Reply
//!              └ request id, base path, log, errors: the same for all rows
//! ```
//!
//! What a key may do and know stands in `guard.rs`.
//! A resource is a file with its `ROWS`; `table.rs` lists the files. It knows neither the store nor
//! the files, only the facade.

pub mod settings;
mod answer;
mod problem;
mod tasks;
mod rate;
mod failures;
mod counts;
mod guard;
mod reload;
mod ask;
mod route;
mod deadline;
mod actions;
mod proxy;
mod runs;
mod keys;
mod status;
mod callback;
mod health;
mod metrics;
mod table;
mod door;

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::AbortHandle};

use crate::{
    engine::Engine,
    error::Error,
    http::Server,
    server::{
        ask::Shared, counts::Counts, door::Door, guard::Guard, reload::Reload,
        settings::ServeSettings, tasks::Tasks,
    },
};

/// What runs have left of `shutdown_timeout` to say what they have done.
const GRACE: Duration = Duration::from_secs(5);

/// A server that listens.
pub struct Listening {
    shared: Arc<Shared>,
    server: Server,
    /// What looks again and again.
    watching: [AbortHandle; 2],
    shutdown_timeout: Duration,
    /// Where.
    pub addresses: Vec<SocketAddr>,
}

/// Begins to serve. The store is opened first: a server that cannot work does not start.
pub async fn listen(engine: Arc<Engine>, settings: ServeSettings) -> Result<Listening, Error> {
    engine.ready().await?;
    let mut listeners = Vec::new();
    for address in &settings.listen {
        let listener =
            TcpListener::bind(address).await.map_err(|source| unbound(address, source))?;
        listeners.push(listener);
    }
    let addresses = listeners.iter().filter_map(|one| one.local_addr().ok()).collect();
    let (limits, shutdown_timeout) = (settings.limits, settings.shutdown_timeout);
    let guard = Arc::new(Guard::new(Arc::clone(&engine)).await?);
    let (reload, taken) = Reload::begin(Arc::clone(&engine)).await;
    let watching = {
        let (guard, reload) = (Arc::clone(&guard), Arc::clone(&reload));
        [
            tokio::spawn(async move { guard.pulse().await }).abort_handle(),
            tokio::spawn(async move { reload.watch(taken).await }).abort_handle(),
        ]
    };
    let shared =
        Arc::new(Shared { engine, reload, counts: Counts::default(), tasks: Tasks::default() });
    let door = Door::new(Arc::clone(&shared), guard, settings);
    let server = Server::start(listeners, limits, door);
    Ok(Listening { shared, server, watching, shutdown_timeout, addresses })
}

fn unbound(address: &str, source: io::Error) -> Error {
    Error::Io { what: format!("cannot listen on {address}"), source }
}

impl Listening {
    /// Takes no more connections, and lets requests under way come to their end; runs that take
    /// longer are asked to end, and say what they have done. Sign-ins are waited for as long as they
    /// take. Whether all requests ended in time.
    pub async fn stop(self) -> bool {
        let Self { shared, server, watching, shutdown_timeout, .. } = self;
        let clock = shared.engine.clock();
        let mut stopped = pin!(async {
            let all = server.stop(shutdown_timeout).await;
            // A sign-in whose code is used up has its tokens nowhere else yet.
            shared.tasks.ended().await;
            all
        });
        let all = tokio::select! {
            all = &mut stopped => all,
            () = clock.sleep(shutdown_timeout.saturating_sub(GRACE)) => {
                shared.engine.stop();
                stopped.await
            }
        };
        // Until here keys are looked at: a connection under way may still send another.
        watching.iter().for_each(AbortHandle::abort);
        all
    }
}
