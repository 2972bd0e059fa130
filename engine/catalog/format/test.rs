//! `tests` of blueprints and actions.

use bytes::Bytes;
use serde_json::json;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            request::{PATHS, target},
            rule::{OUTCOMES, code},
            text::named,
        },
    },
    model::{
        blueprint::{ExpectedOutcome, RuleTest},
        failure::Code,
        http::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
        pagination::Cut,
        rule::OutcomeKind,
        test::{ActionTest, Exchange, Expectation, ExpectedBody, ExpectedError, Reply},
    },
};

/// A test of a blueprint's rules.
pub fn rule_test() -> impl Form<Value = RuleTest> {
    object("RuleTest", "A test of the rules: reply in, verdict out.", |o| RuleTest {
        line: o.line(),
        name: o.optional(key("name", "What it shows."), TEXT),
        at_token_url: o.or(key("at", "Where it is answered."), &ENDPOINTS, false),
        reply: o.needed(REPLY, reply()),
        expect: ExpectedOutcome {
            is: o.choice(key("is", "What that must mean."), &OUTCOMES, OutcomeKind::Error),
            code: code(o),
            wait: o.optional(key("wait", "How long to wait."), SPAN),
            message: o.optional(key("message", "The message."), TEXT),
        },
    })
}

static ENDPOINTS: Choices<bool> = Choices {
    name: "Endpoint",
    doc: "Who answers.",
    rows: &[
        row("api", false, "The API: the rules are `responses`."),
        row("token_url", true, "The token endpoint: the rules are `auth.token_responses`."),
    ],
};

const REPLY: Key = key("reply", "What is answered.");

fn reply() -> impl Blank<Value = Reply> {
    object("Reply", "An answer, in tests.", |o| {
        o.at_most_one("body", &["json", "text"]);
        let status = o.or(key("status", "Of the answer."), REPLY_STATUS, 200);
        let doc = "Header fields; a list is a field that stands several times.";
        let fields = o.map(key("headers", doc), OneOrMany(FIELD));
        let mut headers = HeaderMap::new();
        let fields = named(o, "headers", fields).into_iter();
        for (name, field) in fields.flat_map(|(name, all)| each(all, name)) {
            match HeaderValue::try_from(field) {
                Ok(value) => drop(headers.append(name, value)),
                Err(_) => {
                    let message = "a header has no line breaks or other control characters";
                    o.error_at("headers", "file.bad-value", message);
                }
            }
        }
        let data = o.optional(key("json", "A JSON body."), JSON);
        let text = o.optional(key("text", "A text body."), TEXT);
        if data.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.entry(CONTENT_TYPE).or_insert(json);
        }
        let body = data.map(|value| value.to_string()).or(text).map(Bytes::from);
        let answer = Reply::Answer { status, headers, body: body.unwrap_or_default() };
        match o.optional(key("fail", "No answer at all."), &FAILS) {
            Some(Fail::Connect) => Reply::FailConnect,
            Some(Fail::Timeout) => Reply::FailTimeout,
            None => answer,
        }
    })
}

/// A field once for each of its values.
fn each(all: Vec<String>, name: HeaderName) -> impl Iterator<Item = (HeaderName, String)> {
    all.into_iter().map(move |value| (name.clone(), value))
}

#[derive(Clone, Copy, PartialEq)]
enum Fail {
    Connect,
    Timeout,
}

static FAILS: Choices<Fail> = Choices {
    name: "Fail",
    doc: "Ways not to answer.",
    rows: &[
        row("connect", Fail::Connect, "Nothing was sent."),
        row("timeout", Fail::Timeout, "Sent, and no answer came."),
    ],
};

/// A test of an action.
pub fn action_test() -> impl Form<Value = ActionTest> {
    let doc = "A test: expected requests with replies, and what must come of them.";
    object("ActionTest", doc, |o| {
        let exchanges = object("Exchange", "An expected request and its reply.", exchange);
        let nothing = || json!({});
        ActionTest {
            line: o.line(),
            name: o.needed(key("name", "What it shows."), TEXT),
            input: o.optional(key("input", "The input."), JSON).unwrap_or_else(nothing),
            connection: o
                .optional(key("connection", "Values of the connection."), JSON)
                .unwrap_or_else(nothing),
            http: o.list(key("http", "Each is used once; order is free."), exchanges).into(),
            expect: o.needed(
                key("expect", "What must come of it."),
                object("Expectation", "What must come of a test.", expectation),
            ),
        }
    })
}

fn exchange(o: &mut Object<'_>) -> Exchange {
    let (method, path) = target(o, "exchange", &PATHS, &TEXT);
    let same = "Compared as a subset; `$same` stands for \"equal in all requests of this test\", \
                `$absent` for none.";
    let fields = o.map(key("headers", same), FIELD);
    o.at_most_one("body", &["json", "contains", "form", "text"]);
    let whole = o.optional(key("json", "The whole JSON body."), JSON).map(ExpectedBody::Json);
    let part = o.optional(key("contains", "Part of the JSON body."), JSON);
    let form = o.optional(key("form", "The whole form body."), TEXT).map(ExpectedBody::Form);
    let text = o.optional(key("text", "The whole text body."), TEXT).map(ExpectedBody::Text);
    let body = whole.or(part.map(ExpectedBody::Contains)).or(form).or(text);
    Exchange {
        line: o.line(),
        method,
        target: path,
        headers: named(o, "headers", fields),
        body: body.unwrap_or(ExpectedBody::Any),
        reply: o.needed(REPLY, reply()),
    }
}

fn expectation(o: &mut Object<'_>) -> Expectation {
    let error = object("ExpectedError", "A failure that is expected.", |o| ExpectedError {
        code: o.choice(key("code", "The code."), &EXPECTED_CODES, Code::Internal),
        message: o.optional(key("message", "The message."), TEXT),
        detail: o.optional(key("detail", "The detail, compared as a subset."), JSON),
        maybe_executed: o
            .optional(key("maybe_executed", "Whether it may have taken effect."), BOOL),
        executed: o.optional(key("executed", "How many writes were answered with success."), WHOLE),
        writes: o.optional(key("writes", "These writes, each compared as a subset."), JSON),
    });
    let output = "The output; `$opaque` stands for any opaque token.";
    let truncated = "Whether a list was cut.";
    let by = "Why a list was cut.";
    Expectation {
        output: o.optional(key("output", output), JSON),
        error: o.optional(key("error", "The failure."), error),
        waited: o.optional(
            key("waited", "The time that went by on the virtual clock of the test."),
            SPAN,
        ),
        reauthorize: o.optional(key("connection", "What became of the connection."), &CONNECTIONS),
        truncated: o.optional(key("truncated", truncated), BOOL),
        truncated_by: o.optional(key("truncated_by", by), &CUTS),
    }
}

static CONNECTIONS: Choices<bool> = Choices {
    name: "ExpectedConnection",
    doc: "What must have become of the connection.",
    rows: &[row("reauthorize", true, "A person has to sign in again.")],
};

static CUTS: Choices<Cut> = Choices {
    name: "TruncatedBy",
    doc: "Why a list was cut before its end.",
    rows: &[
        row("repeated", Cut::Repeated, "A page had the same rows as the page before it."),
        row("max_items", Cut::MaxItems, "`max_items` was reached."),
        row("max_pages", Cut::MaxPages, "`max_pages` was reached."),
    ],
};

/// The codes of rules, and those of faults of our own.
static EXPECTED_CODES: Choices<Code> = Choices {
    name: "ExpectedCode",
    doc: "The codes that a test can expect: those of rules, and our own faults.",
    rows: &[
        row("invalid_input", Code::InvalidInput, "The caller's input was refused."),
        row("unauthorized", Code::Unauthorized, "The credentials are not accepted."),
        row("forbidden", Code::Forbidden, "The account may not do this."),
        row("not_found", Code::NotFound, "There is no such thing."),
        row("conflict", Code::Conflict, "It clashes with what is there."),
        row("payment_required", Code::PaymentRequired, "The account has to pay."),
        row("rate_limited", Code::RateLimited, "Too fast."),
        row("circuit_open", Code::CircuitOpen, "Its host failed too often in a row."),
        row("provider_error", Code::ProviderError, "The API failed."),
        row("timeout", Code::Timeout, "No answer in time."),
        row("limit", Code::Limit, "The run has reached one of its own bounds."),
        row("invalid_output", Code::InvalidOutput, "The output does not match `returns`."),
        row("template", Code::Template, "A template met a value that it cannot work with."),
    ],
};
