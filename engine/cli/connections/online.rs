//! What asks the vendor: refresh, test, revoke, delete.

use std::future::Future;

use crate::{
    cli::{
        args::OneConnection,
        context::Cx,
        report::{self, Exit},
        signals::{self, Ended},
        terminal::clean,
    },
    engine::Engine,
    error::Error,
    model::failure::Failure,
    view::{Connection, Deletion, ErrorBody},
};

/// Runs something that changes a connection, and says so.
pub fn changed(
    cx: &Cx,
    engine: &Engine,
    work: impl Future<Output = Result<Result<Connection, Failure>, Error>>,
    said: &str,
) -> Result<Exit, Error> {
    let result = match signals::run(engine, work)? {
        Ended::Stopped(exit, _) => return Ok(cx.stopped(exit)),
        Ended::Done(result) => result?,
    };
    match result {
        Ok(connection) => {
            let Connection { integration, id, .. } = &connection;
            cx.say(&format!("connection `{id}` of `{integration}` {said}\n"));
            if cx.for_programs() {
                cx.show(&connection);
            }
            Ok(Exit::Done)
        }
        Err(failure) => Ok(failed(cx, &failure)),
    }
}

fn failed(cx: &Cx, failure: &Failure) -> Exit {
    cx.terminal.err(&report::plain_failure(failure));
    if cx.for_programs() {
        cx.show(&ErrorBody::from(failure));
    }
    Exit::Failed
}

/// `connections test`
pub fn test(cx: &Cx, engine: &Engine, args: &OneConnection) -> Result<Exit, Error> {
    let work = engine.test_connection(&args.integration, args.connection.as_deref());
    let result = match signals::run(engine, work)? {
        Ended::Stopped(exit, _) => return Ok(cx.stopped(exit)),
        Ended::Done(result) => result?,
    };
    match result {
        Ok(test) => {
            cx.say("the credentials work\n");
            if cx.for_programs() {
                cx.show(&test);
            }
            Ok(Exit::Done)
        }
        Err(failure) => Ok(failed(cx, &failure)),
    }
}

/// `connections delete`
pub fn delete(cx: &Cx, engine: &Engine, args: &OneConnection) -> Result<Exit, Error> {
    let work = engine.delete(&args.integration, args.connection.as_deref());
    let deletion = match signals::run(engine, work)? {
        Ended::Stopped(exit, _) => return Ok(cx.stopped(exit)),
        Ended::Done(result) => result?,
    };
    let Deletion { deleted, .. } = &deletion;
    let more = match (deleted.revoked, &deleted.reason) {
        (None, _) => String::new(),
        (Some(true), _) => ", and its tokens are revoked".to_owned(),
        (Some(false), reason) => format!(
            "; the vendor did not revoke its tokens ({}), which will be tried again",
            clean(reason.as_deref().unwrap_or_default())
        ),
    };
    cx.say(&format!("connection `{}` of `{}` is deleted{more}\n", deleted.id, deleted.integration));
    if cx.for_programs() {
        cx.show(&deletion);
    }
    Ok(Exit::Done)
}
