//! One exchange: authorize, send, judge, note.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::{
    auth::{self, OpenCredentials},
    diagnostic::Explain,
    model::{
        action::Accept,
        failure::{Code, Failure},
        http::{Authorized, HeaderMap, Method, Request, Response, is_safe},
        rule::{Judge, Outcome, OutcomeKind, Rule},
    },
    policy::{
        classify::{self, Answer, Fate, Rules},
        retry::Event,
    },
    run::{
        arrival::{self, Arrival, Arriving, Reading},
        bounds::Held,
        context::Context,
        course::{Course, Moved, Unfollowed},
        decode::{self, Wanted},
        fault,
        gate::Pass,
        note::{self, Sent, UnderWay},
        prepared::Render,
        request::Base,
        writes::Turn,
    },
    template::{Fault, Scope, demand::Demand},
    value,
    wire::Error,
};

/// What is asked of the API, whoever asks.
pub struct Ask<'a> {
    /// Names it in records and failures: the step's id, or `request`.
    pub name: &'a str,
    /// Its method.
    pub method: &'a Method,
    /// Makes the request, without credentials.
    pub render: &'a Render<'a>,
    /// Which request of the run it is.
    pub turn: Turn,
    /// Its own rules; those of the blueprint follow.
    pub rules: &'a [Rule],
    /// Whether it may be repeated, if somebody says so.
    pub idempotent: Option<bool>,
    /// What becomes of the body of an accepted answer.
    pub reading: Reading<'a>,
    /// What the templates of rules see, beside the answer.
    pub scope: &'a Scope<'a>,
}

/// An accepted answer.
pub struct Settled {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// As far as anything reads it.
    pub body: Value,
    /// Its bytes; empty if it goes to somebody else.
    pub raw: Bytes,
    /// What it answers: where redirects have led, if they have.
    pub request: Arc<Request>,
    /// The base URL of the connection by then.
    pub base: Arc<Base>,
    /// The body itself, if it goes to somebody else.
    pub arriving: Option<Arriving>,
    /// What of it is held.
    pub held: Held,
}

/// What came of an exchange, if it was no failure.
pub enum Exchanged {
    /// It is accepted.
    Settled(Box<Settled>),
    /// It goes on elsewhere.
    Moved(Box<Moved>),
}

/// One that did not settle it.
pub struct Tried {
    /// What happened.
    pub event: Event,
    /// If it stays at that.
    pub failure: Failure,
}

impl Tried {
    fn fault(fault: &Fault, step: &str) -> Self {
        Self { event: Event::Final, failure: fault::failure(fault, step) }
    }
}

/// One exchange.
pub struct Exchange<'a> {
    /// The run.
    pub cx: &'a Context<'a>,
    /// What is asked.
    pub ask: &'a Ask<'a>,
    /// Where it goes by now.
    pub course: &'a Course,
    /// Which try it is, from 1.
    pub attempt: u32,
    /// Whether a try before it may have been carried out.
    pub unknown: bool,
    /// The credentials.
    pub held: &'a Arc<OpenCredentials>,
}

impl Exchange<'_> {
    /// Sends it in its place in the limits, and says what the answer means.
    pub async fn run(&self, pass: Pass) -> Result<Exchanged, Tried> {
        let Self { cx, ask, .. } = self;
        let authorized = self.authorized().map_err(|f| Tried::fault(&f, ask.name))?;
        ask.reading.begin();
        let under_way = UnderWay::new(cx.recorder, self.sent(&pass));
        let arrived = match cx.services.wire.send(&authorized).await {
            Ok(answer) => arrival::receive(answer, ask.reading).await,
            Err(error) => Err(error),
        };
        let arrival = match arrived {
            Ok(arrival) => arrival,
            Err(error) => {
                under_way.lost(&error);
                return Err(lost(&error, &self.request().method));
            }
        };
        // Noted before anything else is waited for: should the run be dropped then, it has answered.
        let mut verdict = match self.judge(&arrival.response, arrival.complete) {
            Ok(verdict) => verdict,
            Err(failure) => {
                under_way.unreadable(&arrival.response, &failure.message);
                pass.learn(cx, &arrival.response, None).await;
                return Err(Tried { event: Event::Final, failure });
            }
        };
        let unfollowed = match self.next(&arrival.response, &mut verdict.outcome) {
            Ok(Some(moved)) => {
                under_way.redirected(&arrival.response, &moved.target());
                pass.learn(cx, &arrival.response, None).await;
                return Ok(Exchanged::Moved(moved));
            }
            Ok(None) => None,
            Err(hint) => hint,
        };
        let Verdict { outcome, .. } = &verdict;
        if outcome.kind == OutcomeKind::Ok || self.is_gone(&arrival.response, outcome) {
            return self.accepted(arrival, verdict, under_way, pass).await;
        }
        under_way.answered(&arrival.response, outcome.kind.as_str(), Some(&outcome.message));
        pass.learn(cx, &arrival.response, Some(outcome)).await;
        let Arrival { response, read, rest, .. } = arrival;
        ask.reading.refuse(&response, read, rest);
        let mut tried = self.refused(&response, verdict.outcome).await;
        tried.failure.hint = unfollowed;
        Err(tried)
    }

    fn request(&self) -> &Arc<Request> {
        &self.course.rendered().request
    }

    fn authorized(&self) -> Result<Authorized, Fault> {
        let Self { cx, course, held, .. } = self;
        if course.is_bare() {
            return Ok(auth::bare(self.request()));
        }
        let blueprint = course.asked().scope(cx.roots.blueprint(cx.now()));
        auth::authorize(self.request(), cx.blueprint(), held, &blueprint)
    }

    fn sent(&self, pass: &Pass) -> Sent {
        Sent {
            step: self.ask.name.to_owned(),
            turn: self.ask.turn,
            attempt: self.attempt,
            keyed: self.course.rendered().keyed && !self.course.is_bare(),
            request: Arc::clone(self.request()),
            base: Arc::clone(&self.course.asked().base),
            held: Arc::clone(self.held),
            waited: pass.waited(),
            bare: self.course.is_bare(),
        }
    }

    /// Where the answer sends the request. The error is the hint for one that is not followed; the
    /// outcome names its target then.
    fn next(
        &self,
        response: &Response,
        outcome: &mut Outcome,
    ) -> Result<Option<Box<Moved>>, Option<String>> {
        // A rule knows better: it may take a redirect as the answer.
        if outcome.by != Judge::Status {
            return Ok(None);
        }
        self.course.next(self.cx, response).transpose().map_err(|unfollowed| {
            let Unfollowed { message, hint } = unfollowed;
            outcome.message = format!("{}: {message}", outcome.message);
            hint
        })
    }

    /// The try before may have done it already; a rule of the step knows better.
    fn is_gone(&self, response: &Response, outcome: &Outcome) -> bool {
        self.unknown
            && self.request().method == Method::DELETE
            && response.status == 404
            && outcome.by != Judge::Step
    }

    async fn accepted(
        &self,
        arrival: Arrival,
        verdict: Verdict,
        mut under_way: UnderWay,
        pass: Pass,
    ) -> Result<Exchanged, Tried> {
        let Arrival { response, read, rest, endless, .. } = arrival;
        let Verdict { outcome, body } = verdict;
        let name = OutcomeKind::Ok.as_str();
        let (raw, arriving) = match rest {
            None => {
                under_way.answered(&response, name, None);
                pass.learn(self.cx, &response, Some(&outcome)).await;
                (response.body, None)
            }
            Some(rest) => {
                under_way.arriving(response.clone(), name);
                pass.learn(self.cx, &response, Some(&outcome)).await;
                // Of an answer that never ends, the API's limits mean the head alone.
                let pass = (!endless).then_some(pass);
                (Bytes::new(), Some(Arriving::new(read, rest, under_way, pass)))
            }
        };
        let (status, body) = (response.status, outcome.value.unwrap_or(body));
        let held = self.hold(&raw, &body).map_err(|failure| Tried {
            event: Event::Final,
            failure: Failure { status: Some(status), ..failure },
        })?;
        Ok(Exchanged::Settled(Box::new(Settled {
            status,
            headers: response.headers,
            body,
            raw,
            request: Arc::clone(self.request()),
            base: Arc::clone(&self.course.asked().base),
            arriving,
            held,
        })))
    }

    /// What has become a value of an answer counts among what the run holds.
    fn hold(&self, raw: &Bytes, body: &Value) -> Result<Held, Failure> {
        let bounds = self.cx.bounds;
        match self.ask.reading {
            Reading::Through { .. } => Ok(bounds.nothing()),
            Reading::Whole { demand: Demand::All, .. } => bounds.hold(raw.len() as u64),
            Reading::Whole { .. } => bounds.hold(value::weight(body)),
        }
    }

    /// What the answer means, and its body.
    fn judge(&self, response: &Response, complete: bool) -> Result<Verdict, Failure> {
        let Self { cx, ask, course, .. } = self;
        let success = (200..300).contains(&response.status);
        let read = match ask.reading {
            Reading::Through { .. } if !complete => Ok(Value::Null),
            Reading::Whole { accept, demand, needed } if success => {
                decode::decode(response, Wanted { accept, demand, needed })
            }
            // Failures are rare, and everything may be said about them.
            Reading::Through { .. } | Reading::Whole { .. } => Ok(decode::for_rules(response)),
        };
        let body = read.map_err(|message| {
            let mut failure = Failure::new(Code::ProviderError, message);
            failure.status = Some(response.status);
            failure
        })?;
        // Some say in JSON that there is no file, with status 200.
        let said = match ask.reading {
            Reading::Whole { accept: Accept::Text | Accept::Xml | Accept::Bytes, .. }
                if success && decode::is_json(response) =>
            {
                Some(decode::for_rules(response))
            }
            Reading::Whole { .. } | Reading::Through { .. } => None,
        };
        let answer = Answer {
            status: response.status,
            headers: &response.headers,
            body: said.as_ref().unwrap_or(&body),
            scope: course.asked().scope(ask.scope.clone()),
        };
        let blueprint = Some(cx.blueprint()).filter(|_| !course.is_bare());
        let rules = Rules {
            own: ask.rules,
            blueprint: blueprint.map_or(&[], |blueprint| &blueprint.rules),
            error_message: blueprint.and_then(|blueprint| blueprint.error_message.as_deref()),
            error_detail: blueprint.and_then(|blueprint| blueprint.error_detail.as_deref()),
        };
        let outcome = classify::classify(&answer, &rules, cx.now()).map_err(|f| Failure {
            status: Some(response.status),
            ..fault::failure(&f, ask.name)
        })?;
        Ok(Verdict { outcome, body })
    }

    /// An answer that was not accepted.
    async fn refused(&self, response: &Response, outcome: Outcome) -> Tried {
        let mut failure = Failure::new(outcome.code, outcome.message);
        failure.detail = outcome.detail;
        failure.status = Some(response.status);
        failure.maybe_executed = outcome.kind == OutcomeKind::Error
            && Fate::of(response.status) == Fate::Unknown
            && !is_safe(&self.request().method);
        note::redact(self.held, &mut failure);
        let event = match outcome.kind {
            // What a host says that saw no credentials says nothing of the connection.
            OutcomeKind::Refresh | OutcomeKind::Reauthorize if self.course.is_bare() => {
                failure.code = Code::ProviderError;
                Event::Final
            }
            OutcomeKind::Retry => Event::Transient(outcome.wait),
            OutcomeKind::RateLimited => Event::Rejected(outcome.wait),
            OutcomeKind::Refresh => Event::Refresh,
            OutcomeKind::Reauthorize => {
                self.cx.account().reject(&failure.message).await;
                Event::Final
            }
            OutcomeKind::Ok | OutcomeKind::Error => Event::Final,
        };
        Tried { event, failure }
    }
}

/// What an answer means, and its body as far as anything reads it.
struct Verdict {
    outcome: Outcome,
    body: Value,
}

/// No answer.
fn lost(error: &Error, method: &Method) -> Tried {
    let (code, event) = match error {
        Error::Connect { .. } => (Code::ProviderError, Event::NotSent),
        Error::Timeout { sent: false, .. } => (Code::Timeout, Event::NotSent),
        Error::Timeout { sent: true, .. } => (Code::Timeout, Event::Unknown),
        Error::Broken { .. } => (Code::ProviderError, Event::Unknown),
        Error::Blocked { .. } | Error::Refused { .. } | Error::TooLarge { .. } => {
            (Code::ProviderError, Event::Final)
        }
    };
    let mut failure = Failure::new(code, error.to_string());
    failure.hint = error.hint();
    failure.maybe_executed = matches!(error, Error::TooLarge { .. }) && !is_safe(method);
    Tried { event, failure }
}

/// The failure of a request whose accepted answer broke off on its way to somebody else.
pub fn broken_off(error: &Error, ask: &Ask<'_>) -> Failure {
    let Tried { mut failure, .. } = lost(error, ask.method);
    failure.maybe_executed = !is_safe(ask.method);
    failure.step = Some(ask.name.to_owned());
    failure
}
