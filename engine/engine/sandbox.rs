//! `engine sandbox`: a blueprint's API on this machine, for apps that are being built.

use std::{sync::Arc, time::Duration};

use crate::{
    engine::parts::Engine,
    error::Error,
    sandbox::{AUTHORIZE, DEVICE, Log, Open, REVOKE, Server, TOKEN},
    view,
};

/// To serve the sandbox of a blueprint.
#[derive(Debug, Clone)]
pub struct SandboxCall {
    /// `ms-teams` or `ms-teams:v0`
    pub blueprint: String,
    /// On 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// How long the access tokens that it issues are valid.
    pub token_lifetime: Option<Duration>,
}

/// A sandbox that serves until it is dropped.
pub struct Sandbox {
    /// Where it is.
    pub urls: view::Sandbox,
    _server: Server,
}

impl Engine {
    /// Serves the sandbox of a blueprint; `log` gets the method, path and status of each request.
    pub async fn sandbox(&self, call: SandboxCall, log: Log) -> Result<Sandbox, Error> {
        let SandboxCall { blueprint, port, token_lifetime } = call;
        let blueprint = self.catalog().blueprint(&blueprint)?;
        let name = blueprint.id.to_string();
        if blueprint.sandbox.is_none() {
            return Err(Error::NoSandbox { blueprint: name });
        }
        let clock = Arc::clone(self.clock());
        let server = Server::open(Open { blueprint, clock, port, token_lifetime, log }).await;
        let server = server.map_err(|source| Error::Io {
            what: format!("cannot listen on 127.0.0.1:{port}"),
            source,
        })?;
        let url = server.base_url();
        let at = |path: &str| format!("{url}{path}");
        let urls = view::Sandbox {
            blueprint: name,
            authorization_url: at(AUTHORIZE),
            token_url: at(TOKEN),
            device_authorization_url: at(DEVICE),
            revocation_url: at(REVOKE),
            url,
        };
        Ok(Sandbox { urls, _server: server })
    }
}
