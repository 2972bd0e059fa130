//! What asks the vendor: refresh, test, revoke, delete.

use std::future::Future;

use serde::Serialize;

use crate::{
    cli::{
        args::OneConnection,
        console::Console,
        report::Exit,
        signals::{self, Completion},
    },
    engine::Engine,
    error::Error,
    model::failure::Failure,
    view::{Connection, ConnectionTest, DeletedConnection, Deletion},
};

/// Gets a fresh token.
pub fn refresh(console: &Console, engine: &Engine, args: &OneConnection) -> Result<Exit, Error> {
    let work = engine.refresh(&args.integration, args.connection.as_deref());
    finish(console, engine, work, |connection| changed(connection, "has a fresh token"))
}

/// Revokes the tokens.
pub fn revoke(console: &Console, engine: &Engine, args: &OneConnection) -> Result<Exit, Error> {
    let work = engine.revoke(&args.integration, args.connection.as_deref());
    finish(console, engine, work, |connection| changed(connection, "is revoked"))
}

/// Tests the credentials.
pub fn test(console: &Console, engine: &Engine, args: &OneConnection) -> Result<Exit, Error> {
    let work = engine.test_connection(&args.integration, args.connection.as_deref());
    finish(console, engine, work, |_: &ConnectionTest| "the credentials work".to_owned())
}

/// Deletes a connection.
pub fn delete(console: &Console, engine: &Engine, args: &OneConnection) -> Result<Exit, Error> {
    let work =
        async { Ok(Ok(engine.delete(&args.integration, args.connection.as_deref()).await?)) };
    finish(console, engine, work, |deletion: &Deletion| deleted(&deletion.deleted))
}

fn finish<T: Serialize>(
    console: &Console,
    engine: &Engine,
    work: impl Future<Output = Result<Result<T, Failure>, Error>>,
    message: impl FnOnce(&T) -> String,
) -> Result<Exit, Error> {
    Ok(match signals::complete(engine, work)? {
        Completion::Stopped(exit, _) => console.stopped(exit),
        Completion::Done(result) => console.conclude(result?, message),
    })
}

fn changed(Connection { integration, id, .. }: &Connection, change: &str) -> String {
    format!("connection `{id}` of `{integration}` {change}")
}

fn deleted(DeletedConnection { integration, id, revoked, reason }: &DeletedConnection) -> String {
    let more = match (revoked, reason) {
        (None, _) => String::new(),
        (Some(true), _) => ", and its tokens are revoked".to_owned(),
        (Some(false), reason) => format!(
            "; the vendor did not revoke its tokens ({}), which will be tried again",
            reason.as_deref().unwrap_or("no reason was given")
        ),
    };
    format!("connection `{id}` of `{integration}` is deleted{more}")
}
