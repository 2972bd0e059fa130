//! `sandbox`, and the replies and tests of blueprints and actions.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    catalog::{
        decode::{Located, Raw, decode},
        resolve::{
            rule,
            shape::{headers, optional, shape, span, template},
        },
        spec::{
            action::{ActionTestSpec, ExchangeSpec, ExpectSpec, ExpectedCodeSpec, OwnCodeSpec},
            blueprint::{EndpointSpec, RouteSpec, RuleTestSpec, SandboxSpec},
            common::{FailSpec, ReplySpec},
        },
        tree::Node,
    },
    diagnostic::Diagnostics,
    model::{
        blueprint::{ExpectedOutcome, RuleTest},
        failure::Code,
        http::{Headers, Method},
        sandbox::{Sandbox, SandboxBody, SandboxRoute, SandboxSegment},
        test::{ActionTest, Exchange, Expectation, ExpectedBody, ExpectedError, Reply},
    },
    template::{
        check::Use,
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// `sandbox` of a blueprint, read by itself.
pub fn of(node: &Arc<Node>, diagnostics: &mut Diagnostics) -> Option<Sandbox> {
    sandbox(decode(node, diagnostics)?, diagnostics)
}

/// Canned resources.
pub fn sandbox(spec: SandboxSpec, diagnostics: &mut Diagnostics) -> Option<Sandbox> {
    let symbols = ["path", "query", "body", "headers"]
        .iter()
        .fold(Symbols::new(), |all, name| all.with(name, Knowledge::Open, Presence::Always));
    let all: Vec<_> = spec.routes.iter().map(|spec| route(spec, &symbols, diagnostics)).collect();
    let account = spec.account.map_or_else(|| json!({}), |raw| raw.0.to_json());
    Some(Sandbox { routes: all.into_iter().collect::<Option<_>>()?, account })
}

fn route(
    spec: &Located<RouteSpec>,
    symbols: &Symbols,
    diagnostics: &mut Diagnostics,
) -> Option<SandboxRoute> {
    let Located { value: spec, node } = spec;
    let all = [
        (Method::Get, &spec.get),
        (Method::Post, &spec.post),
        (Method::Put, &spec.put),
        (Method::Patch, &spec.patch),
        (Method::Delete, &spec.delete),
        (Method::Head, &spec.head),
    ];
    let request = one_method(all, ("route", node), diagnostics);
    let segment = |text: &str| match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(name) => SandboxSegment::Capture(name.to_owned()),
        None => SandboxSegment::Text(text.to_owned()),
    };
    let when =
        optional(spec.when.as_ref(), |raw| template(&raw.0, symbols, Use::Condition, diagnostics));
    let one_body = one_body(node, diagnostics);
    let body = match (&spec.json, &spec.text) {
        (Some(raw), _) => shape(&raw.0, symbols, diagnostics).map(SandboxBody::Json),
        (None, Some(raw)) => {
            template(&raw.0, symbols, Use::Text, diagnostics).map(SandboxBody::Text)
        }
        (None, None) => Some(SandboxBody::Empty),
    };
    let headers = headers(spec.headers.as_ref().map(|raw| &raw.0), symbols, diagnostics);
    one_body?;
    let (method, path) = request?;
    Some(SandboxRoute {
        method,
        segments: path.trim_start_matches('/').split('/').map(segment).collect(),
        when: when?,
        status: spec.status.unwrap_or(200),
        headers,
        body: body?,
        pages: spec.pages.and_then(|pages| usize::try_from(pages).ok()).filter(|pages| *pages > 0),
    })
}

/// The method that is given, and its path.
fn one_method<'s>(
    all: [(Method, &'s Option<String>); 6],
    (what, node): (&str, &Node),
    diagnostics: &mut Diagnostics,
) -> Option<(Method, &'s String)> {
    let mut given = all.into_iter().filter_map(|(method, path)| Some((method, path.as_ref()?)));
    let Some(first) = given.next() else {
        let message = format!("this {what} has no method with a path");
        diagnostics.error("file.missing-key", message, Some(node.place.clone()));
        return None;
    };
    if let Some((second, _)) = given.next() {
        let (first, second) = (first.0.as_str(), second.as_str());
        let message = format!("this {what} has two methods, {first} and {second}");
        diagnostics.error("file.bad-value", message, Some(node.place.clone()));
        return None;
    }
    Some(first)
}

/// What stands there has at most one body.
fn one_body(node: &Node, diagnostics: &mut Diagnostics) -> Option<()> {
    let bodies = ["json", "contains", "form", "text"];
    let mut given = bodies.iter().filter(|name| node.get(name).is_some_and(|n| !n.is_null()));
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        let message = format!("there is one body, and this has `{first}` and `{second}`");
        diagnostics.error("file.bad-value", message, Some(node.place.clone()));
        return None;
    }
    Some(())
}

/// An answer.
pub fn reply(spec: &ReplySpec) -> Reply {
    match spec.fail {
        Some(FailSpec::Connect) => return Reply::FailConnect,
        Some(FailSpec::Timeout) => return Reply::FailTimeout,
        None => {}
    }
    let mut headers: Headers =
        spec.headers.iter().map(|(name, raw)| (name.as_str(), text_of(&raw.0))).collect();
    let body = match (&spec.json, &spec.text) {
        (Some(raw), _) => {
            if headers.get("content-type").is_none() {
                headers.append("content-type", "application/json".to_owned());
            }
            Bytes::from(raw.0.to_json().to_string())
        }
        (None, Some(text)) => Bytes::from(text.clone()),
        (None, None) => Bytes::new(),
    };
    Reply::Answer { status: spec.status.unwrap_or(200), headers, body }
}

fn text_of(node: &Node) -> String {
    node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned)
}

/// A test of a blueprint's rules.
pub fn rule_test(spec: Located<RuleTestSpec>, diagnostics: &mut Diagnostics) -> Option<RuleTest> {
    let line = spec.node.place.start().line;
    let one_body = spec.node.get("reply").map_or(Some(()), |reply| one_body(reply, diagnostics));
    let wait = optional(spec.value.wait.as_ref(), |wait| span(Some(wait), diagnostics));
    one_body?;
    Some(RuleTest {
        line,
        name: spec.value.name,
        at_token_url: spec.value.at == Some(EndpointSpec::TokenUrl),
        reply: reply(&spec.value.reply),
        expect: ExpectedOutcome {
            is: rule::outcome(spec.value.is),
            code: spec.value.code.map(rule::code),
            wait: wait?,
            message: spec.value.message,
        },
    })
}

/// A test of an action.
pub fn action_test(
    spec: Located<ActionTestSpec>,
    diagnostics: &mut Diagnostics,
) -> Option<ActionTest> {
    let Located { value: spec, node } = spec;
    let http: Vec<_> = spec.http.iter().map(|spec| exchange(spec, diagnostics)).collect();
    let expect = expectation(spec.expect, diagnostics);
    let json_of = |raw: Option<Raw>| raw.map_or_else(|| json!({}), |raw| raw.0.to_json());
    Some(ActionTest {
        name: spec.name,
        line: node.place.start().line,
        input: json_of(spec.input),
        connection: json_of(spec.connection),
        http: http.into_iter().collect::<Option<_>>()?,
        expect: expect?,
    })
}

fn exchange(spec: &Located<ExchangeSpec>, diagnostics: &mut Diagnostics) -> Option<Exchange> {
    let Located { value: spec, node } = spec;
    let all = [
        (Method::Get, &spec.get),
        (Method::Post, &spec.post),
        (Method::Put, &spec.put),
        (Method::Patch, &spec.patch),
        (Method::Delete, &spec.delete),
        (Method::Head, &spec.head),
    ];
    let request = one_method(all, ("exchange", node), diagnostics);
    let bodies = [Some(node), node.get("reply")]
        .map(|node| node.map_or(Some(()), |node| one_body(node, diagnostics)));
    let (method, target) = request?;
    bodies.into_iter().collect::<Option<()>>()?;
    let body = match spec {
        ExchangeSpec { json: Some(raw), .. } => ExpectedBody::Json(raw.0.to_json()),
        ExchangeSpec { contains: Some(raw), .. } => ExpectedBody::Contains(raw.0.to_json()),
        ExchangeSpec { form: Some(text), .. } => ExpectedBody::Form(text.clone()),
        ExchangeSpec { text: Some(text), .. } => ExpectedBody::Text(text.clone()),
        ExchangeSpec { .. } => ExpectedBody::Any,
    };
    let headers = spec.headers.iter();
    Some(Exchange {
        line: node.place.start().line,
        method,
        target: target.clone(),
        headers: headers.map(|(name, raw)| (name.to_ascii_lowercase(), text_of(&raw.0))).collect(),
        body,
        reply: reply(&spec.reply),
    })
}

fn expectation(spec: ExpectSpec, diagnostics: &mut Diagnostics) -> Option<Expectation> {
    let waited = optional(spec.waited.as_ref(), |waited| span(Some(waited), diagnostics))?;
    let json_of = |raw: Raw| -> Value { raw.0.to_json() };
    Some(Expectation {
        output: spec.output.map(json_of),
        error: spec.error.map(|error| ExpectedError {
            code: match error.code {
                ExpectedCodeSpec::Of(code) => rule::code(code),
                ExpectedCodeSpec::Own(OwnCodeSpec::InvalidOutput) => Code::InvalidOutput,
                ExpectedCodeSpec::Own(OwnCodeSpec::Template) => Code::Template,
            },
            message: error.message,
            detail: error.detail.map(json_of),
            maybe_executed: error.maybe_executed,
        }),
        waited,
        reauthorize: spec.connection.map(|_| true),
        truncated: spec.truncated,
    })
}
