//! `POST /actions/{integration}/{action}`: runs an action; the body is its input.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderName, header::RETRY_AFTER};

use crate::{
    engine::{Call, Quiet, RunResult},
    http::Reply,
    model::{
        failure::Failure,
        http::{Fields, HeaderValue, Method},
        record::RunRecord,
    },
    policy::permission,
    server::{
        answer,
        ask::{self, Ask},
        deadline::Deadline,
        guard::Access,
        problem::Problem,
        route::{Answering, Row},
        tasks::Kind,
    },
};

/// See the module.
pub static ROWS: &[Row] = &[Row {
    method: Some(Method::POST),
    path: "/actions/{integration}/{action}",
    access: Access::Scope("environment:actions:execute"),
    handle: run,
}];

/// Which connection is meant.
pub const CONNECTION: HeaderName = HeaderName::from_static("connection-id");
/// The id of the run.
pub const RUN: HeaderName = HeaderName::from_static("engine-run");
/// IETF draft "The Idempotency-Key HTTP Header Field".
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On a result that was stored under such a key before.
const STORED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Why a list in the output was cut, if one was.
const TRUNCATED: HeaderName = HeaderName::from_static("engine-truncated");

/// The answer is the output, as it is. A client that hangs up stops the run, which says in its
/// record what it has done; a run under an idempotency key goes on to its end.
fn run(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        let (engine, caller) = (ask.engine(), ask.caller()?);
        let (integration, action) = (ask.param("integration"), ask.param("action"));
        if !permission::covers(caller.narrowing(), integration) {
            return Err(Problem::unknown_integration(integration));
        }
        let prepared = caller.told(engine.action(integration, action))?;
        if !permission::may_run(caller.narrowing(), action, prepared.action.effect) {
            return Err(Problem::forbidden(format!("the key may not run `{action}`")));
        }
        let wanted = connection(&ask)?;
        let found = engine.visible_connection(caller.narrowing(), integration, wanted.as_deref());
        let connection = caller.told(found.await)?;
        let entry = caller.told(engine.integration(integration))?;
        let usual = entry.run_limits.over(prepared.action.limits);
        let deadline = Deadline::of(&ask)?.within(usual);
        let mut call = Call {
            integration: integration.to_owned(),
            action: action.to_owned(),
            connection,
            idempotency_key: ask.request.headers.text(KEY).map(Cow::into_owned),
            run_limits: deadline.limits(),
            ..Call::default()
        };
        let tasks = &ask.shared.tasks;
        call.input = ask::json(ask.request).await?;
        if call.idempotency_key.is_none() {
            return answered(caller.told(engine.run(call, &Quiet).await)?, deadline);
        }
        // What comes of it is kept for whoever asks again, as one whose client went away will.
        let running = Arc::clone(engine);
        let work = async move { running.run(call, &Quiet).await };
        answered(caller.told(tasks.finish(Kind::Run, work).await?)?, deadline)
    })
}

/// The connection of a field or of the query, not of both.
fn connection(ask: &Ask<'_>) -> Result<Option<String>, Problem> {
    let query = ask.query(&["connection"])?;
    let field = ask.request.headers.text(CONNECTION);
    match (query.get("connection"), field) {
        (Some(one), Some(other)) if one != other => {
            let message = "the field `Connection-Id` and the parameter `connection` differ";
            Err(Problem::new(400, "invalid_headers", message))
        }
        (Some(id), _) => Ok(Some(id.to_owned())),
        (None, id) => Ok(id.map(Cow::into_owned)),
    }
}

fn answered(result: RunResult, deadline: Deadline) -> Result<Reply, Problem> {
    let cut = result.cut();
    let RunResult { record, output, stored, .. } = result;
    match output {
        Ok(output) => {
            let mut reply = answer::json(200, &output);
            let mut set = |name, text: &str| {
                if let Ok(value) = HeaderValue::from_str(text) {
                    reply.headers_mut().insert(name, value);
                }
            };
            set(RUN, &record.id);
            if stored {
                set(STORED, "true");
            }
            if let Some(cut) = cut {
                set(TRUNCATED, cut.as_str());
            }
            Ok(reply)
        }
        Err(failure) => {
            let problem = failed(&deadline.explain(failure, &record), &record);
            Err(if stored { problem.with(STORED, "true") } else { problem })
        }
    }
}

fn failed(failure: &Failure, record: &RunRecord) -> Problem {
    let problem = Problem::of_run(failure, &record.id).with(RUN, &record.id);
    let ended = record.finished_at.unwrap_or(record.started_at);
    match failure.retry_at {
        None => problem,
        Some(at) => {
            let seconds = at.since(ended).as_millis().div_ceil(1000).max(1);
            problem.with(RETRY_AFTER, &seconds.to_string())
        }
    }
}
