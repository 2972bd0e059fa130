//! Attempts → records: redacted, and heads only unless the integration asks for bodies.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    auth::OpenCredentials,
    clock::Clock,
    model::{
        blueprint::{Integration, LogLevel},
        failure::Failure,
        http::{Request, Response, is_safe},
        record::AttemptRecord,
        time::Timestamp,
    },
    policy::{classify, redact},
    run::{
        journal::Journal,
        request::Base,
        writes::{self, Turn},
    },
    wire,
};

/// Writes the attempts of one run.
pub struct Recorder {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where they go.
    pub journal: Arc<Journal>,
    /// Whose they are.
    pub integration: Arc<Integration>,
    /// Whether they are kept; else they are counted.
    pub keeps: bool,
}

/// What is known of an attempt when it is sent.
pub struct Sent {
    /// The step's id, or `request`.
    pub step: String,
    /// Which request it is.
    pub turn: Turn,
    /// Which try, from 1.
    pub attempt: u32,
    /// Whether the API knows it again by a key.
    pub keyed: bool,
    /// Without credentials.
    pub request: Arc<Request>,
    /// For its URL as it may be shown.
    pub base: Arc<Base>,
    /// For redaction by value.
    pub held: Arc<OpenCredentials>,
    /// For limits, before it was sent.
    pub waited: Duration,
    /// Whether it goes without credentials, to a host of which nothing else is known: its query may
    /// be a signature.
    pub bare: bool,
}

impl Sent {
    /// As a write, unless it changes nothing.
    fn write(&self) -> Option<writes::Sent<'_>> {
        let Self { step, turn, request, keyed, .. } = self;
        let method = &request.method;
        (!is_safe(method)).then_some(writes::Sent { step, turn: *turn, method, keyed: *keyed })
    }
}

/// An exchange that is under way. If it is dropped before its end, because the run was stopped or
/// its time is over, it is noted all the same: what was sent cannot be unsent. It borrows nothing,
/// so that it can go with the body of an answer to wherever that ends.
pub struct UnderWay {
    recorder: Arc<Recorder>,
    sent: Sent,
    started: Timestamp,
    begun: Duration,
    fate: Fate,
}

enum Fate {
    /// Something may have been sent.
    Sent,
    /// The answer is accepted, and its body is on its way to somebody else.
    Arriving(Response, &'static str),
    /// It is in the record.
    Noted,
}

impl UnderWay {
    /// From here on something may have been sent.
    pub fn new(recorder: &Arc<Recorder>, sent: Sent) -> Self {
        let (started, begun) = (recorder.clock.now(), recorder.clock.elapsed());
        Self { recorder: Arc::clone(recorder), sent, started, begun, fate: Fate::Sent }
    }

    /// No answer came, or not all of it.
    pub fn lost(mut self, error: &wire::Error) {
        if error.was_sent() && matches!(self.fate, Fate::Sent) {
            self.unknown();
        }
        let outcome = match error {
            wire::Error::Connect { .. } => "connect",
            wire::Error::Blocked { .. } | wire::Error::Refused { .. } => "refused",
            wire::Error::Timeout { .. } => "timeout",
            wire::Error::TooLarge { .. } | wire::Error::Broken { .. } => "broken",
        };
        let head = match mem::replace(&mut self.fate, Fate::Noted) {
            Fate::Arriving(head, _) => Some(head),
            Fate::Sent | Fate::Noted => None,
        };
        self.write(head.as_ref(), outcome, Some(&error.to_string()));
    }

    /// An answer came, and this is what it means.
    pub fn answered(mut self, response: &Response, outcome: &'static str, message: Option<&str>) {
        self.fate = Fate::Noted;
        self.judged(response.status, outcome);
        self.write(Some(response), outcome, message);
    }

    /// An answer came that sends it elsewhere, where it goes on.
    pub fn redirected(mut self, response: &Response, target: &str) {
        self.fate = Fate::Noted;
        if response.status == 303 {
            // Carried out; what came of it is over there (RFC 9110, section 15.4.4).
            self.executed(response.status);
        }
        self.write(Some(response), "redirect", Some(&format!("to {target}")));
    }

    /// An answer came that says success, and that nobody can read.
    pub fn unreadable(mut self, response: &Response, message: &str) {
        self.fate = Fate::Noted;
        match classify::Fate::of(response.status) {
            classify::Fate::Done => self.executed(response.status),
            classify::Fate::Refused => {}
            classify::Fate::Unknown => self.unknown(),
        }
        self.write(Some(response), "error", Some(message));
    }

    /// What an answer says of a write.
    fn judged(&self, status: u16, outcome: &'static str) {
        match outcome {
            "ok" => self.executed(status),
            // By the blueprint's word it was not carried out.
            "rate_limited" | "refresh" | "reauthorize" => {}
            "retry" => self.unknown(),
            _ if classify::Fate::of(status) == classify::Fate::Unknown => self.unknown(),
            _ => {}
        }
    }

    fn executed(&self, status: u16) {
        if let Some(write) = self.sent.write() {
            self.recorder.journal.writes(|writes| writes.executed(write, status));
        }
    }

    fn unknown(&self) {
        if let Some(write) = self.sent.write() {
            self.recorder.journal.writes(|writes| writes.unknown(write));
        }
    }

    /// The answer is accepted; what of its body is still to come goes to somebody else.
    pub fn arriving(&mut self, head: Response, outcome: &'static str) {
        self.judged(head.status, outcome);
        self.fate = Fate::Arriving(head, outcome);
    }

    /// All of its body has arrived.
    pub fn arrived(mut self) {
        if let Fate::Arriving(head, outcome) = mem::replace(&mut self.fate, Fate::Noted) {
            self.write(Some(&head), outcome, None);
        }
    }

    fn write(&self, response: Option<&Response>, outcome: &'static str, message: Option<&str>) {
        let Sent { step, turn, attempt, request, base, held, waited, bare, .. } = &self.sent;
        let took = self.recorder.clock.elapsed().saturating_sub(self.begun);
        let status = response.map(|response| response.status);
        tracing::debug!(
            step,
            item = turn.item,
            page = turn.page,
            attempt,
            method = request.method.as_str(),
            status,
            outcome,
            duration_ms = millis(took),
            "attempt"
        );
        let Recorder { journal, integration, keeps, .. } = &*self.recorder;
        if !keeps {
            journal.count();
            return;
        }
        let base_url = &integration.blueprint.requests.base_url;
        // By value too: a next link may hold the key under any name.
        let mut url = if *bare {
            held.hide(&redact::place(&request.url))
        } else {
            held.hide_url(&request.url)
        };
        if base_url.is_secret() && !bare {
            // However short the secret is: the base stands as it is written in the blueprint.
            let query = url.split_once('?').map(|(_, query)| format!("?{query}"));
            let path = base.relative(&request.url);
            url = held.hide(&format!("{}{path}{}", base_url.source, query.unwrap_or_default()));
        }
        journal.attempt(AttemptRecord {
            step: step.clone(),
            item: turn.item,
            page: turn.page,
            attempt: *attempt,
            started_at: self.started,
            duration_ms: millis(took),
            waited_ms: millis(*waited),
            method: request.method.clone(),
            url,
            status,
            outcome,
            message: message.map(|message| held.hide(message)),
            detail: self.detail(response),
        });
    }

    /// What is kept of the messages themselves.
    fn detail(&self, response: Option<&Response>) -> Option<Box<RawValue>> {
        let Sent { request, held, .. } = &self.sent;
        let level = self.recorder.integration.log_level;
        let bodies = level.is_some_and(|level| level >= LogLevel::Debug);
        let body = |body: Bytes| (bodies && !body.is_empty()).then(|| held.hide_body(&body));
        let detail = Detail {
            request: Message {
                headers: held.hide_headers(&request.headers),
                body: request.body.held().and_then(body),
            },
            response: response.map(|response| Message {
                headers: held.hide_headers(&response.headers),
                body: body(response.body.clone()),
            }),
        };
        to_raw_value(&detail).ok()
    }
}

/// The messages of an attempt, redacted.
#[derive(Serialize)]
struct Detail<'a> {
    request: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    headers: redact::Headers<'a>,
    /// At the level `debug`.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let safe = is_safe(&self.sent.request.method);
        match mem::replace(&mut self.fate, Fate::Noted) {
            Fate::Noted => {}
            Fate::Sent if safe => {
                self.write(None, "cancelled", Some("stopped before the answer came"));
            }
            Fate::Sent => {
                self.unknown();
                let message = "stopped before the answer came; it may have taken effect";
                self.write(None, "cancelled", Some(message));
            }
            Fate::Arriving(head, _) => {
                let message = "stopped before the whole answer had come";
                self.write(Some(&head), "cancelled", Some(message));
            }
        }
    }
}

/// An API may echo what it was sent.
pub fn redact(held: &OpenCredentials, failure: &mut Failure) {
    failure.message = held.hide(&failure.message);
    if let Some(detail) = &mut failure.detail {
        held.hide_json(detail);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
