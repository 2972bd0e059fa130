//! Attempts → records: redacted, and heads only unless the integration asks for bodies.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    auth::{self, Held},
    model::{
        action::Step,
        blueprint::LogLevel,
        failure::Failure,
        http::{Headers, Request, Response},
        record::AttemptRecord,
        time::Timestamp,
    },
    policy::redact,
    run::cx::Cx,
    wire,
};

/// What is known of an attempt before its answer is judged.
pub struct Noted<'a> {
    /// The step.
    pub step: &'a Step,
    /// Item, page, attempt.
    pub turn: (Option<u64>, u32, u32),
    /// Without credentials.
    pub request: &'a Request,
    /// For redaction by value.
    pub held: &'a Held,
    /// When it was sent.
    pub started: Timestamp,
    /// Until the last byte.
    pub took: Duration,
    /// For limits, before it was sent.
    pub waited: Duration,
}

/// An exchange that is under way. If it is dropped before it has landed, because the run was
/// stopped or its time is over, it is noted all the same: what was sent cannot be unsent.
pub struct UnderWay<'a, 'w> {
    cx: &'a Cx<'w>,
    noted: Noted<'a>,
    begun: Duration,
    landed: bool,
}

impl<'a, 'w> UnderWay<'a, 'w> {
    /// From here on something may have been sent.
    pub fn new(cx: &'a Cx<'w>, noted: Noted<'a>) -> Self {
        Self { cx, noted, begun: cx.world.clock.elapsed(), landed: false }
    }

    /// There is an answer, or word that there will be none.
    pub fn landed(&mut self) -> &Noted<'a> {
        self.landed = true;
        self.timed()
    }

    fn timed(&mut self) -> &Noted<'a> {
        self.noted.took = self.cx.world.clock.elapsed().saturating_sub(self.begun);
        &self.noted
    }
}

impl Drop for UnderWay<'_, '_> {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let message = if self.noted.request.method.is_safe() {
            "stopped before the answer came"
        } else {
            "stopped before the answer came; it may have taken effect"
        };
        let cx = self.cx;
        write(cx, self.timed(), (None, "cancelled", Some(message)));
    }
}

/// No answer came.
pub fn lost(cx: &Cx<'_>, noted: &Noted<'_>, error: &wire::Error) {
    let outcome = match error {
        wire::Error::Connect { .. } => "connect",
        wire::Error::Blocked { .. } | wire::Error::Refused { .. } => "refused",
        wire::Error::Timeout { .. } => "timeout",
        wire::Error::TooLarge { .. } | wire::Error::Broken { .. } => "broken",
    };
    write(cx, noted, (None, outcome, Some(&error.to_string())));
}

/// An answer came, and this is what it means.
pub fn answered(
    cx: &Cx<'_>,
    noted: &Noted<'_>,
    (response, outcome, message): (&Response, &'static str, Option<&str>),
) {
    write(cx, noted, (Some(response), outcome, message));
}

fn write(
    cx: &Cx<'_>,
    noted: &Noted<'_>,
    (response, outcome, message): (Option<&Response>, &'static str, Option<&str>),
) {
    let Noted { step, turn: (item, page, attempt), request, .. } = noted;
    let status = response.map(|response| response.status);
    tracing::debug!(
        step = step.id,
        item,
        page,
        attempt,
        method = request.method.as_str(),
        status,
        outcome,
        duration_ms = millis(noted.took),
        "attempt"
    );
    if cx.world.store.is_none() {
        cx.journal.count();
        return;
    }
    let hide = |text: &str| noted.held.hide(text);
    let base_url = &cx.blueprint().requests.base_url;
    let mut url = redact::url(&request.url);
    if auth::is_secret(base_url) {
        // However short the secret is: the base stands as it is written in the blueprint.
        let query = url.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
        url = hide(&format!("{}{}{query}", base_url.source, cx.base.relative(&request.url)));
    }
    cx.journal.attempt(AttemptRecord {
        step: step.id.clone(),
        item: *item,
        page: *page,
        attempt: *attempt,
        started_at: noted.started,
        duration_ms: millis(noted.took),
        waited_ms: millis(noted.waited),
        method: request.method.as_str(),
        url,
        status,
        outcome,
        message: message.map(hide),
        detail: Some(detail(cx, noted, response)),
    });
}

/// `{request: {headers, body?}, response: {headers, body?}}`
fn detail(cx: &Cx<'_>, noted: &Noted<'_>, response: Option<&Response>) -> Value {
    let bodies = cx.invocation.integration.log_level.is_some_and(|level| level >= LogLevel::Debug);
    let part = |headers: &Headers, body: Option<&[u8]>| {
        let mut map = Map::new();
        map.insert("headers".to_owned(), noted.held.hide_headers(headers));
        if let Some(body) = body.filter(|body| bodies && !body.is_empty()) {
            map.insert("body".to_owned(), noted.held.hide_body(body));
        }
        Value::Object(map)
    };
    let mut map = Map::new();
    map.insert("request".to_owned(), part(&noted.request.headers, noted.request.body.as_deref()));
    if let Some(response) = response {
        map.insert("response".to_owned(), part(&response.headers, Some(&response.body)));
    }
    Value::Object(map)
}

/// An API may echo what it was sent.
pub fn redact(held: &Held, failure: &mut Failure) {
    failure.message = held.hide(&failure.message);
    if let Some(detail) = &mut failure.detail {
        held.hide_json(detail);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
