//! The server: the engine as other programs use it, over HTTP.
//!
//! ```text
//! http kit ─ door ─ route: which row of `TABLE`? ─ its handler ─ facade ─ view ─ Reply
//!              └ request id, base path, log, errors: the same for all rows
//! ```
//!
//! A resource is a file with its `ROWS`; `table.rs` lists the files. It knows neither the store nor
//! the files, only the facade.

pub mod settings;
mod answer;
mod problem;
mod ask;
mod route;
mod health;
mod table;
mod door;

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::net::TcpListener;

use crate::{engine::Engine, error::Error, http::Server, server::settings::ServeSettings};

/// What runs have left of `shutdown_timeout` to say what they have done.
const GRACE: Duration = Duration::from_secs(5);

/// A server that listens.
pub struct Listening {
    engine: Arc<Engine>,
    server: Server,
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
    let door = door::Door::new(Arc::clone(&engine), settings);
    let server = Server::start(listeners, limits, door);
    Ok(Listening { engine, server, shutdown_timeout, addresses })
}

fn unbound(address: &str, source: io::Error) -> Error {
    Error::Io { what: format!("cannot listen on {address}"), source }
}

impl Listening {
    /// Takes no more connections, and lets requests under way come to their end; runs that take
    /// longer are asked to end, and say what they have done. Whether all ended in time.
    pub async fn stop(self) -> bool {
        let Self { engine, server, shutdown_timeout, .. } = self;
        let mut stopped = pin!(server.stop(shutdown_timeout));
        tokio::select! {
            all = &mut stopped => return all,
            () = engine.clock().sleep(shutdown_timeout.saturating_sub(GRACE)) => {}
        }
        engine.stop();
        stopped.await
    }
}
