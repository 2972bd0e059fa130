//! `engine sandbox`: an API played on this machine, until a signal comes.

use std::{convert::Infallible, future, sync::Arc};

use serde_json::json;

use crate::{
    cli::{
        context::{self, Cx},
        report::Exit,
        signals::{self, Ended},
        terminal::{STRONG, styled},
    },
    engine::Engine,
    error::Error,
    model::blueprint::LogLevel,
    sandbox::{AUTHORIZE, DEVICE, Log, REVOKE, Server, TOKEN},
};

/// Serves the sandbox of a blueprint.
pub fn sandbox(
    cx: &Cx,
    engine: &Engine,
    (reference, port, lifetime): (&str, u16, Option<&str>),
) -> Result<Exit, Error> {
    let lifetime = context::wait(lifetime)?;
    let blueprint = engine.catalog().blueprint(reference)?;
    if blueprint.sandbox.is_none() {
        return Err(Error::Call {
            code: "call.no-sandbox",
            message: format!("`{}` has no sandbox", blueprint.id),
            hint: Some(
                "a blueprint describes one under `sandbox:`; see docs/guides/sandbox.md".to_owned(),
            ),
        });
    }
    // Each request is a line of the log.
    cx.logging.integration(LogLevel::Info);
    let serve = async {
        let name = blueprint.id.to_string();
        let log: Log = Arc::new(|method, path, status| {
            tracing::info!(method, path, status, "request");
        });
        let server =
            Server::open(blueprint, port, Arc::clone(engine.clock()), (log, lifetime)).await?;
        let url = server.base_url();
        if cx.for_programs() {
            let at = |path: &str| format!("{url}{path}");
            cx.print(&json!({
                "blueprint": name, "url": url, "authorization_url": at(AUTHORIZE),
                "token_url": at(TOKEN), "device_authorization_url": at(DEVICE),
                "revocation_url": at(REVOKE),
            }));
        } else {
            cx.terminal.out(&format!(
                "{name} is played at {}\n\n  curl -H 'authorization: Bearer sandbox' {url}/…\n\n\
                 x-sandbox-fail: 429, 500 or timeout in a request asks for a failure; Ctrl-C ends.\n\
                 Signing in is played too: {url}{AUTHORIZE} and {url}{TOKEN}\n",
                styled(STRONG, &url)
            ));
        }
        future::pending::<Result<Infallible, _>>().await
    };
    match signals::run(engine, serve)? {
        Ended::Stopped(exit) => Ok(exit),
        Ended::Done(Err(source)) => {
            Err(Error::Io { what: format!("127.0.0.1:{port} cannot be listened on"), source })
        }
        Ended::Done(Ok(never)) => match never {},
    }
}
