//! `/proxy/…`: any request to an API, with the credentials, limits and retries of a connection.
//! Bodies are handed on as they come, in both directions.

use std::sync::Arc;

use http::{
    HeaderName,
    header::{LOCATION, RETRY_AFTER},
};
use http_body_util::{BodyExt, Limited};

use crate::{
    engine::{ApiCall, Quiet, RunLimits, RunResult},
    error::Error,
    http::Reply,
    model::http::{Body, Fields, HeaderMap},
    policy::permission,
    proxy::{self, Relay, Relayed},
    server::{
        actions::{CONNECTION, TIMEOUT},
        ask::Ask,
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
/// Redirects that lead somewhere (RFC 9110, section 15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];
/// Of a body that nobody gets, in bytes.
const UNREAD: usize = 64 * 1024;

/// What a call came to; `None`: the caller's deadline was over first.
type Outcome = Option<Result<RunResult, Error>>;

fn proxy(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        let limit = ask.span(TIMEOUT)?;
        let engine = Arc::clone(ask.engine());
        let call = call(ask).await?;
        let run = |mut sink: proxy::Intake| async move {
            let clock = Arc::clone(engine.clock());
            let work = engine.request(call, &Quiet, &mut sink);
            let Some(limit) = limit else { return Some(work.await) };
            tokio::select! {
                biased;
                result = work => Some(result),
                () = clock.sleep(limit) => None,
            }
        };
        match proxy::relay(run).await {
            Relayed::Answer(status, headers, body) => answered(status, &headers, body).await,
            Relayed::Ended(outcome) => Err(without_answer(outcome)),
        }
    })
}

/// What is asked of the API.
async fn call(ask: Ask<'_>) -> Result<ApiCall, Problem> {
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
    let base = engine.integration(&integration)?;
    let base = base.blueprint.requests.base_url.as_text();
    let query = ask.request.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let raw = format!("/{}{query}", ask.param("path"));
    let path = proxy::endpoint(&raw, base, headers.text(BASE_URL).as_deref()).map_err(|other| {
        let message = format!("`{}` is not below the base URL of `{integration}`", other.0);
        Problem::new(400, "base_url_override_not_allowed", message)
    })?;
    let connection =
        engine.visible_connection(caller.narrowing(), &integration, Some(&wanted)).await?;
    let (integration, fields) = (integration.into_owned(), headers.clone());
    let (body, again) = proxy::upload(ask.request.frames()).await.map_err(|error| {
        Problem::new(408, "body_incomplete", format!("the body did not come whole: {error}"))
    })?;
    let has_body = !matches!(body, Body::Empty);
    Ok(ApiCall {
        integration,
        method,
        path,
        query: Vec::new(),
        headers: proxy::up(&fields, has_body),
        body,
        paginate: false,
        connection,
        sandbox: false,
        // What was not kept cannot be sent again.
        idempotent: (!again).then_some(false),
        wait: None,
        run_limits: RunLimits::default(),
    })
}

/// The vendor's answer, whatever its status. Handed a redirect on, the caller's client would walk
/// there with fields that are meant for this server.
async fn answered(
    status: u16,
    headers: &HeaderMap,
    body: Relay<Outcome>,
) -> Result<Reply, Problem> {
    if REDIRECTS.contains(&status)
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
    *reply.headers_mut() = proxy::down(headers);
    Ok(reply)
}

/// The API has said nothing, or could not be asked.
fn without_answer(outcome: Outcome) -> Problem {
    let result = match outcome {
        None => {
            let message = "the caller's deadline is over; the request was given up";
            return Problem::new(504, "timeout", message);
        }
        Some(Err(error)) => return error.into(),
        Some(Ok(result)) => result,
    };
    let RunResult { record, output, .. } = result;
    let Err(failure) = output else {
        return Problem::new(502, "provider_error", "the API's answer has no head");
    };
    let problem = Problem::of_run(&failure, &record.id);
    match failure.retry_at {
        None => problem,
        Some(at) => {
            let wait = at.since(record.finished_at.unwrap_or(record.started_at));
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            problem.with(RETRY_AFTER, &seconds.to_string())
        }
    }
}
