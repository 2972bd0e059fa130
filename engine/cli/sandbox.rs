//! `engine sandbox`: serves an API's sandbox on this machine, until a signal comes.

use std::{convert::Infallible, future, sync::Arc};

use crate::{
    cli::{
        console::Console,
        report::Exit,
        signals::{self, Completion},
        terminal::{STRONG, styled},
    },
    engine::{Engine, SandboxCall},
    error::Error,
    model::blueprint::LogLevel,
    view,
};

/// Serves the sandbox of a blueprint.
pub fn sandbox(console: &Console, engine: &Engine, call: SandboxCall) -> Result<Exit, Error> {
    // Each request is a line of the log.
    console.logging.integration(LogLevel::Info);
    let serve = async {
        let log = Arc::new(|method: &str, path: &str, status: u16| {
            tracing::info!(method, path, status, "request");
        });
        let sandbox = engine.sandbox(call, log).await?;
        if console.for_programs() {
            console.show(&sandbox.urls);
        } else {
            console.terminal.out(&usage(&sandbox.urls));
        }
        future::pending::<Result<Infallible, Error>>().await
    };
    match signals::complete(engine, serve)? {
        Completion::Stopped(exit, _) => Ok(exit),
        Completion::Done(result) => match result? {},
    }
}

fn usage(urls: &view::Sandbox) -> String {
    let view::Sandbox { blueprint, url, authorization_url, token_url, .. } = urls;
    format!(
        "{blueprint} is served at {}\n\n  curl -H 'authorization: Bearer sandbox' {url}/…\n\n\
         x-sandbox-fail: 429, 500 or timeout in a request causes that failure; Ctrl-C ends the sandbox.\n\
         Signing in works too: {authorization_url} and {token_url}\n",
        styled(STRONG, url)
    )
}
