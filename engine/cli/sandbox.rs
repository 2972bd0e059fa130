//! `engine sandbox`: an API played on this machine, until a signal comes.

use std::{convert::Infallible, future, sync::Arc};

use crate::{
    cli::{
        context::Cx,
        report::Exit,
        signals::{self, Ended},
        terminal::{STRONG, styled},
    },
    engine::{Engine, SandboxCall},
    error::Error,
    model::blueprint::LogLevel,
    view,
};

/// Serves the sandbox of a blueprint.
pub fn sandbox(cx: &Cx, engine: &Engine, call: SandboxCall) -> Result<Exit, Error> {
    // Each request is a line of the log.
    cx.logging.integration(LogLevel::Info);
    let serve = async {
        let log = Arc::new(|method: &str, path: &str, status: u16| {
            tracing::info!(method, path, status, "request");
        });
        let sandbox = engine.sandbox(call, log).await?;
        if cx.for_programs() {
            cx.show(&sandbox.urls);
        } else {
            cx.terminal.out(&text(&sandbox.urls));
        }
        future::pending::<Result<Infallible, Error>>().await
    };
    match signals::run(engine, serve)? {
        Ended::Stopped(exit, _) => Ok(exit),
        Ended::Done(result) => match result? {},
    }
}

fn text(urls: &view::Sandbox) -> String {
    let view::Sandbox { blueprint, url, authorization_url, token_url, .. } = urls;
    format!(
        "{blueprint} is played at {}\n\n  curl -H 'authorization: Bearer sandbox' {url}/…\n\n\
         x-sandbox-fail: 429, 500 or timeout in a request asks for a failure; Ctrl-C ends.\n\
         Signing in is played too: {authorization_url} and {token_url}\n",
        styled(STRONG, url)
    )
}
