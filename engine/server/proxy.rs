//! `/proxy/…`: any request to an API, with the credentials, limits and retries of a connection.
//! Bodies are handed on as they come, in both directions.

use std::{ops::Range, sync::Arc};

use http::{
    HeaderName,
    header::{LOCATION, RETRY_AFTER},
};
use http_body_util::{BodyExt, Limited};

use crate::{
    engine::{ApiCall, Quiet, RunResult},
    error::Error,
    http::Reply,
    model::http::{Body, Fields, HeaderMap, Method},
    policy::permission,
    proxy::{self, Reader, Relay, Relayed},
    server::{
        actions::{CONNECTION, RUN},
        ask::Ask,
        deadline::Deadline,
        guard::Access,
        problem::Problem,
        route::{Answering, Row},
    },
};

/// See the module.
pub static ROWS: &[Row] = &[Row {
    method: None,
    path: "/proxy/{path*}",
    access: Access::Scope("environment:proxy"),
    handle: proxy,
}];

const INTEGRATION: HeaderName = HeaderName::from_static("provider-config-key");
const BASE_URL: HeaderName = HeaderName::from_static("base-url-override");
/// What clients take for a redirect: some follow any of these that names a place.
const REDIRECTS: Range<u16> = 300..400;
/// Nothing has changed: no redirect (RFC 9110, section 15.4.5).
const NOT_MODIFIED: u16 = 304;
/// Of a body that nobody gets, in bytes.
const UNREAD: usize = 64 * 1024;

/// What a call came to.
type Outcome = Result<RunResult, Error>;

fn proxy(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        let engine = Arc::clone(ask.engine());
        let tasks = ask.shared.tasks.clone();
        let reader = Reader {
            reads_body: ask.request.method != Method::HEAD,
            finish: Box::new(move |rest| drop(tasks.spawn(rest))),
        };
        let (caller, deadline) = (ask.caller()?, Deadline::of(&ask)?);
        let (call, deadline) = call(ask, deadline).await?;
        let run =
            |mut sink: proxy::Intake| async move { engine.request(call, &Quiet, &mut sink).await };
        match proxy::relay(reader, run).await {
            Relayed::Answer(status, headers, body) => answered(status, headers, body).await,
            Relayed::Ended(outcome) => Err(without_answer(caller.told(outcome)?, deadline)),
        }
    })
}

/// What is asked of the API.
async fn call(ask: Ask<'_>, deadline: Deadline) -> Result<(ApiCall, Deadline), Problem> {
    let (engine, caller, headers) = (ask.engine(), ask.caller()?, &ask.request.headers);
    let required = |name: &HeaderName| {
        headers.text(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            let message = format!("the field `{name}` is missing");
            Problem::new(400, "invalid_headers", message)
        })
    };
    let (integration, wanted) = (required(&INTEGRATION)?, required(&CONNECTION)?);
    let method = ask.request.method.clone();
    if !permission::covers(caller.narrowing(), &integration) {
        return Err(Problem::unknown_integration(&integration));
    }
    if !permission::may_request(caller.narrowing(), &method) {
        return Err(Problem::forbidden(format!("the key may not send {method} to the API")));
    }
    let entry = caller.told(engine.integration(&integration))?;
    let deadline = deadline.within(entry.run_limits);
    let base = entry.blueprint.requests.base_url.as_text();
    let query = ask.request.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let raw = format!("/{}{query}", ask.param("path"));
    let path = proxy::endpoint(&raw, base, headers.text(BASE_URL).as_deref()).map_err(|other| {
        let message = format!("`{}` is not below the base URL of `{integration}`", other.0);
        Problem::new(400, "base_url_override_not_allowed", message)
    })?;
    let found = engine.visible_connection(caller.narrowing(), &integration, Some(&wanted));
    let connection = caller.told(found.await)?;
    let (integration, fields) = (integration.into_owned(), headers.clone());
    let body = proxy::upload(ask.request.frames()).await.map_err(|error| {
        Problem::new(408, "body_incomplete", format!("the body did not come whole: {error}"))
    })?;
    let has_body = !matches!(body, Body::Empty);
    let call = ApiCall {
        integration,
        method,
        path,
        query: Vec::new(),
        headers: proxy::up(&fields, has_body),
        body,
        paginate: false,
        connection,
        sandbox: false,
        idempotent: None,
        wait: None,
        run_limits: deadline.limits(),
    };
    Ok((call, deadline))
}

/// The vendor's answer, whatever its status. Handed a redirect on, the caller's client would walk
/// there with fields that are meant for this server.
async fn answered(status: u16, headers: HeaderMap, body: Relay<Outcome>) -> Result<Reply, Problem> {
    if REDIRECTS.contains(&status)
        && status != NOT_MODIFIED
        && let Some(target) = headers.text(LOCATION)
    {
        // The run comes to its end.
        let _unread = Limited::new(body, UNREAD).collect().await;
        let message = format!("the API redirects to `{target}`, which is not followed");
        return Err(Problem::new(502, "redirect_refused", message));
    }
    let mut reply = Reply::new(body.boxed());
    if let Ok(status) = http::StatusCode::from_u16(status) {
        *reply.status_mut() = status;
    }
    *reply.headers_mut() = headers;
    if status == NOT_MODIFIED {
        reply.headers_mut().remove(LOCATION);
    }
    Ok(reply)
}

/// The API has said nothing, or could not be asked.
fn without_answer(result: RunResult, deadline: Deadline) -> Problem {
    let RunResult { record, output, .. } = result;
    let Err(failure) = output else {
        return Problem::new(502, "provider_error", "the API's answer has no head");
    };
    let failure = deadline.explain(failure, &record);
    let problem = Problem::of_run(&failure, &record.id).with(RUN, &record.id);
    match failure.retry_at {
        None => problem,
        Some(at) => {
            let wait = at.since(record.finished_at.unwrap_or(record.started_at));
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            problem.with(RETRY_AFTER, &seconds.to_string())
        }
    }
}
