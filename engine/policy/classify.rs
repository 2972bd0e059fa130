//! What an answer means. Only this judges; everything else obeys.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    model::{
        failure::Code,
        http::{Fields, HeaderMap},
        rule::{Judge, Match, Outcome, OutcomeKind, Rule, StatusMatch, Unit, When},
        template::{Shape, Template},
        time::Timestamp,
    },
    policy::{ietf, pattern, wait},
    template::{self, Fault, Scope},
};

/// Longer messages are cut.
const LONGEST_MESSAGE: usize = 500;

/// An answer, seen by rules.
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: &'a HeaderMap,
    /// Parsed; a text if it is no JSON.
    pub body: &'a Value,
    /// `connection`, `integration` … ; `status`, `headers` and `body` are added here.
    pub scope: Scope<'a>,
}

/// The rules of a step, in the order in which they are tried.
pub struct Rules<'a> {
    /// Of the step.
    pub own: &'a [Rule],
    /// Of the integration, the blueprint and its parents.
    pub blueprint: &'a [Arc<Rule>],
    /// `error.message`
    pub error_message: Option<&'a Template>,
    /// `error.detail`
    pub error_detail: Option<&'a Shape>,
}

impl<'a> Rules<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Rule> {
        self.own.iter().chain(self.blueprint.iter().map(|rule| &**rule))
    }
}

/// The verdict: first rule that fits, else the built-in ones.
pub fn classify(answer: &Answer<'_>, rules: &Rules<'_>, now: Timestamp) -> Result<Outcome, Fault> {
    let status = Value::from(answer.status);
    let headers = headers_root(answer, rules);
    let scope = answer
        .scope
        .clone()
        .with("status", &status)
        .with("headers", &headers)
        .with("body", answer.body);
    let mut lenient = scope.clone();
    lenient.lenient = true;
    let (kind, code) = built_in(answer.status);
    let mut outcome = Outcome {
        kind,
        code,
        message: String::new(),
        detail: None,
        wait: None,
        value: None,
        by: Judge::Status,
    };
    let mut own_message = None;
    match find(answer, rules, &scope) {
        Some(rule) => {
            outcome.kind = rule.is;
            let own = rules.own.iter().any(|own| std::ptr::eq(own, rule));
            outcome.by = if own { Judge::Step } else { Judge::Blueprint };
            outcome.code = rule.code.unwrap_or_else(|| code_of(rule.is, code));
            outcome.wait = wait::first(&rule.wait, answer.headers, &scope, now);
            // A rule that only says what an answer is takes nothing from what it asks for.
            if rule.wait.is_empty()
                && matches!(rule.is, OutcomeKind::RateLimited | OutcomeKind::Retry)
            {
                outcome.wait = stated_wait(answer.headers, now);
            }
            own_message = rule.message.as_ref();
            if let (OutcomeKind::Ok, Some(value)) = (rule.is, &rule.value) {
                outcome.value = Some(template::evaluate(value, &scope)?.unwrap_or(Value::Null));
            }
        }
        None if matches!(answer.status, 429 | 503) => {
            outcome.wait = stated_wait(answer.headers, now);
        }
        None => {}
    }
    if outcome.kind != OutcomeKind::Ok {
        let text = |template: &Template| message(template, &lenient);
        outcome.message = own_message
            .and_then(text)
            .or_else(|| rules.error_message.and_then(text))
            .unwrap_or_else(|| status_text(answer.status));
        outcome.detail = rules
            .error_detail
            .and_then(|shape| template::evaluate(shape, &lenient).ok().flatten())
            .filter(|detail| detail.as_object().is_none_or(|map| !map.is_empty()));
    }
    Ok(outcome)
}

/// The rule that fits, if one does.
fn find<'r>(answer: &Answer<'_>, rules: &Rules<'r>, scope: &Scope<'_>) -> Option<&'r Rule> {
    for rule in rules.all() {
        let fits = match &rule.when {
            When::Match(pattern) => matches(pattern, answer),
            // What cannot be evaluated over this answer was written for another one: an error page
            // must not become a fault of the file.
            When::Expr(template) => template::boolean(template, scope).unwrap_or(false),
        };
        if fits {
            return Some(rule);
        }
    }
    None
}

fn matches(pattern: &Match, answer: &Answer<'_>) -> bool {
    let status = pattern.status.is_empty()
        || pattern.status.iter().any(|status| match status {
            StatusMatch::Is(status) => *status == answer.status,
            StatusMatch::Class(class) => u16::from(*class) == answer.status / 100,
        });
    status
        && pattern.header.iter().all(|(name, pattern)| {
            pattern::fits_text(pattern, answer.headers.text(name).as_deref())
        })
        && pattern.body.as_ref().is_none_or(|body| pattern::fits(body, Some(answer.body)))
}

/// The rules that stand below all others.
fn built_in(status: u16) -> (OutcomeKind, Code) {
    match status {
        200..=299 => (OutcomeKind::Ok, Code::ProviderError),
        401 => (OutcomeKind::Refresh, Code::Unauthorized),
        429 => (OutcomeKind::RateLimited, Code::RateLimited),
        408 => (OutcomeKind::Retry, Code::Timeout),
        // 425: RFC 8470, section 5.2. 509, 52x, 530, 598 and 599 come from front ends: Cloudflare's
        // documentation of 5xx errors, and what other vendors have taken over from it.
        425 | 500 | 502..=504 | 509 | 520..=525 | 527 | 529 | 530 | 598 | 599 => {
            (OutcomeKind::Retry, Code::ProviderError)
        }
        404 => (OutcomeKind::Error, Code::NotFound),
        402 => (OutcomeKind::Error, Code::PaymentRequired),
        403 => (OutcomeKind::Error, Code::Forbidden),
        409 | 412 | 423 => (OutcomeKind::Error, Code::Conflict),
        400 | 422 => (OutcomeKind::Error, Code::InvalidInput),
        _ => (OutcomeKind::Error, Code::ProviderError),
    }
}

/// What has become of a request, by the status of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Carried out.
    Done,
    /// Refused, so not carried out.
    Refused,
    /// Nobody can say: a redirect that was not followed, a fault while it was carried out, or a
    /// front end that speaks for a server it did not reach.
    Unknown,
}

impl Fate {
    /// RFC 9110, section 15, as far as it goes.
    pub const fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Done,
            // 501: the method is not there; 505: the version is not spoken.
            400..=499 | 501 | 505 => Self::Refused,
            _ => Self::Unknown,
        }
    }
}

/// The code of an outcome whose rule names none.
fn code_of(kind: OutcomeKind, by_status: Code) -> Code {
    match kind {
        OutcomeKind::RateLimited => Code::RateLimited,
        OutcomeKind::Refresh | OutcomeKind::Reauthorize => Code::Unauthorized,
        OutcomeKind::Ok | OutcomeKind::Retry | OutcomeKind::Error => by_status,
    }
}

/// Retry-After, else the reset of the `RateLimit` fields.
fn stated_wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    headers
        .text("retry-after")
        .and_then(|text| wait::read(&text, Unit::Seconds, now))
        .or_else(|| ietf::observe(headers, now).reset.map(|reset| reset.since(now)))
}

/// `headers` only where something reads it: expressions in rules and messages.
fn headers_root(answer: &Answer<'_>, rules: &Rules<'_>) -> Value {
    let read = |rule: &Rule| {
        matches!(rule.when, When::Expr(_)) || rule.message.is_some() || rule.value.is_some()
    };
    let wanted = rules.all().any(read)
        || rules.error_message.is_some() && !(200..300).contains(&answer.status);
    if wanted { answer.headers.root() } else { Value::Null }
}

/// A message for people: without control characters, cut. `None` if there is nothing in it.
fn message(template: &Template, scope: &Scope<'_>) -> Option<String> {
    let text = template::text(template, scope).ok().flatten()?;
    let clean: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_MESSAGE).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// `404 Not Found`
fn status_text(status: u16) -> String {
    let code = hyper::StatusCode::from_u16(status).ok();
    match code.and_then(|code| code.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => format!("status {status}"),
    }
}

/// The verdict on an answer of a token endpoint: the blueprint's rules, then what RFC 6749,
/// section 5, says, whatever the status (some answer 200 with an error).
pub fn classify_token(answer: &Answer<'_>, rules: &[Rule], now: Timestamp) -> Outcome {
    let all = Rules { own: rules, blueprint: &[], error_message: None, error_detail: None };
    let fitted = find(answer, &all, &answer.scope.clone().with("body", answer.body));
    if fitted.is_some()
        && let Ok(outcome) = classify(answer, &all, now)
    {
        return outcome;
    }
    let error = answer.body.get("error").filter(|error| !error.is_null());
    let name = error.and_then(Value::as_str).unwrap_or_default();
    let (kind, code) = match (answer.status, name) {
        (_, "invalid_grant" | "expired_token" | "access_denied") => {
            (OutcomeKind::Reauthorize, Code::Unauthorized)
        }
        // The operator's secret is wrong or has ended: no connection is to blame, and none must be
        // lost for it.
        (_, "invalid_client" | "unauthorized_client") | (401 | 403, "") => {
            (OutcomeKind::Error, Code::Unauthorized)
        }
        (429, _) => (OutcomeKind::RateLimited, Code::RateLimited),
        (408 | 500..=599, _) | (_, "temporarily_unavailable" | "server_error" | "slow_down") => {
            (OutcomeKind::Retry, Code::ProviderError)
        }
        (200..=299, _) if error.is_none() => (OutcomeKind::Ok, Code::ProviderError),
        _ => (OutcomeKind::Error, Code::ProviderError),
    };
    let wait = stated_wait(answer.headers, now);
    let message = name.to_owned();
    Outcome { kind, code, message, detail: None, wait, value: None, by: Judge::Status }
}
