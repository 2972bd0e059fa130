//! What asks the vendor: refresh, test, revoke, delete.

use std::future::Future;

use serde_json::json;

use crate::{
    cli::{
        args::OneConnection,
        connections::shown::whole,
        context::Cx,
        report::{self, Exit},
        signals::{self, Ended},
        terminal::clean,
    },
    engine::Engine,
    error::Error,
    model::{account::Account, failure::Failure},
    view::ErrorBody,
};

/// Runs something that changes a connection, and says so.
pub fn changed(
    cx: &Cx,
    engine: &Engine,
    work: impl Future<Output = Result<Result<Account, Failure>, Error>>,
    said: &str,
) -> Result<Exit, Error> {
    let result = match signals::run(engine, work)? {
        Ended::Stopped(exit, _) => return Ok(cx.stopped(exit)),
        Ended::Done(result) => result?,
    };
    match result {
        Ok(account) => {
            let Account { integration, id, .. } = &account;
            cx.say(&format!("connection `{id}` of `{integration}` {said}\n"));
            if cx.for_programs() {
                cx.print(&whole(&account));
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
        Ok(steps) => {
            cx.say("the credentials work\n");
            if cx.for_programs() {
                let asked: Vec<&String> =
                    steps.as_object().into_iter().flatten().map(|(id, _)| id).collect();
                cx.print(&json!({"works": true, "asked": asked}));
            }
            Ok(Exit::Done)
        }
        Err(failure) => Ok(failed(cx, &failure)),
    }
}

/// `connections delete`
pub fn delete(cx: &Cx, engine: &Engine, args: &OneConnection) -> Result<Exit, Error> {
    let work = async {
        let deleted = engine.delete(&args.integration, args.connection.as_deref()).await?;
        Ok::<_, Error>((deleted, engine.settle_revocations().await?))
    };
    let (deleted, left) = match signals::run(engine, work)? {
        Ended::Stopped(exit, _) => return Ok(cx.stopped(exit)),
        Ended::Done(result) => result?,
    };
    let Account { integration, id, .. } = &deleted.account;
    let more = match &deleted.revoked {
        None => String::new(),
        Some(Ok(())) => ", and its tokens are taken back".to_owned(),
        Some(Err(reason)) => format!(
            "; the vendor did not take its tokens back ({}), which will be tried again",
            clean(reason)
        ),
    };
    cx.say(&format!("connection `{id}` of `{integration}` is deleted{more}\n"));
    if cx.for_programs() {
        let revoked = deleted.revoked.as_ref().map(Result::is_ok);
        cx.print(&json!({
            "deleted": {"integration": integration, "id": id, "revoked": revoked},
            "pending_revocations": left,
        }));
    }
    Ok(Exit::Done)
}
