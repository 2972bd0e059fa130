//! A request → the canned answer. Pure.

use serde_json::{Map, Value, json};

use crate::{
    model::{
        blueprint::Blueprint,
        http::{CONTENT_TYPE, Fields, HeaderMap, HeaderValue},
        sandbox::{SandboxBody, SandboxRoute, SandboxSegment},
        time::Timestamp,
    },
    sandbox::{
        cut,
        exchange::{Incoming, Outgoing},
    },
    template::{self, Fault, Scope},
};

/// Answers by the first route that fits. `base` is the sandbox's own base URL, for next links.
pub fn respond(blueprint: &Blueprint, incoming: &Incoming, base: &str, now: Timestamp) -> Outgoing {
    let Some(sandbox) = &blueprint.sandbox else {
        return Outgoing::json(404, &json!({"error": "this blueprint has no sandbox"}));
    };
    let path = relative(blueprint, &incoming.path);
    let segments: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(|segment| {
            percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
        })
        .collect();
    for route in &sandbox.routes {
        let Some(captured) = captured(route, &incoming.method, &segments) else { continue };
        let seen = Seen::new(captured, incoming);
        let scope = seen.scope(now);
        match route.when.as_ref().map(|when| template::boolean(when, &scope)) {
            Some(Ok(false)) => continue,
            Some(Err(fault)) => return fault_of(&fault),
            Some(Ok(true)) | None => {}
        }
        return Answering { blueprint, route, scope: &scope }.answer(&cut::Asked {
            incoming,
            path,
            base,
        });
    }
    let known: Vec<String> = sandbox.routes.iter().map(shown).collect();
    let message = format!("the sandbox has no {} {path}", incoming.method);
    Outgoing::json(
        404,
        &json!({"error": {"code": "no_such_route", "message": message, "routes": known}}),
    )
}

/// What the templates of a route see.
struct Seen {
    path: Value,
    query: Value,
    headers: Value,
    body: Value,
}

impl Seen {
    fn new(path: Map<String, Value>, incoming: &Incoming) -> Self {
        let pairs = incoming.query.iter();
        Self {
            path: Value::Object(path),
            query: pairs.map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect(),
            headers: incoming.headers.root(),
            body: body_of(incoming),
        }
    }

    fn scope(&self, now: Timestamp) -> Scope<'_> {
        let mut scope = Scope::new(now)
            .with("path", &self.path)
            .with("query", &self.query)
            .with("headers", &self.headers)
            .with("body", &self.body);
        // What a client leaves out is simply not there.
        scope.lenient = true;
        scope
    }
}

/// JSON, or a form as an object of texts.
fn body_of(incoming: &Incoming) -> Value {
    if let Ok(value) = serde_json::from_slice(&incoming.body) {
        return value;
    }
    let kind = incoming.headers.text("content-type").unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs = url::form_urlencoded::parse(&incoming.body);
        return pairs
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect();
    }
    json!({})
}

/// The path without the vendor's base path, if it stands in front.
fn relative<'p>(blueprint: &Blueprint, path: &'p str) -> &'p str {
    let base = &blueprint.requests.base_url.source;
    let vendor =
        base.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
    let stripped = vendor.and_then(|vendor| {
        let rest = path.strip_prefix('/')?.strip_prefix(vendor.trim_end_matches('/'))?;
        rest.starts_with('/').then_some(rest)
    });
    stripped.unwrap_or(path)
}

fn captured(route: &SandboxRoute, method: &str, segments: &[String]) -> Option<Map<String, Value>> {
    if route.method.as_str() != method || route.segments.len() != segments.len() {
        return None;
    }
    let mut found = Map::new();
    for (wanted, segment) in route.segments.iter().zip(segments) {
        match wanted {
            SandboxSegment::Text(text) if text == segment => {}
            SandboxSegment::Text(_) => return None,
            SandboxSegment::Capture(name) => {
                found.insert(name.clone(), segment.clone().into());
            }
        }
    }
    Some(found)
}

/// The route that answers.
struct Answering<'a> {
    blueprint: &'a Blueprint,
    route: &'a SandboxRoute,
    /// What its templates see.
    scope: &'a Scope<'a>,
}

impl Answering<'_> {
    fn answer(&self, asked: &cut::Asked<'_>) -> Outgoing {
        self.tried(asked).unwrap_or_else(|fault| fault_of(&fault))
    }

    fn tried(&self, asked: &cut::Asked<'_>) -> Result<Outgoing, Fault> {
        let Self { route, scope, .. } = self;
        let mut outgoing = match &route.body {
            SandboxBody::Empty => {
                Outgoing { status: route.status, headers: HeaderMap::new(), body: Vec::new() }
            }
            SandboxBody::Text(text) => Outgoing {
                status: route.status,
                headers: [(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))]
                    .into_iter()
                    .collect(),
                body: template::text(text, scope)?.unwrap_or_default().into_bytes(),
            },
            SandboxBody::Json(shape) => {
                let value = template::evaluate(shape, scope)?.unwrap_or(Value::Null);
                self.page(value, asked)
            }
        };
        for (name, field) in &route.headers {
            if let Some(value) = template::header(field, scope)? {
                outgoing.headers.insert(name, value);
            }
        }
        Ok(outgoing)
    }

    /// A value, or a page of it, if the route has pages.
    fn page(&self, mut value: Value, asked: &cut::Asked<'_>) -> Outgoing {
        let field = match (self.route.pages, &self.blueprint.paginate) {
            (Some(rows), Some(pagination)) => cut::cut(&mut value, pagination, rows, asked),
            (Some(_) | None, _) => None,
        };
        let status = field.as_ref().and_then(|field| field.status);
        let mut outgoing = Outgoing::json(status.unwrap_or(self.route.status), &value);
        if let Some(field) = field
            && let Ok(value) = field.value.try_into()
        {
            outgoing.headers.insert(field.name, value);
        }
        outgoing
    }
}

fn fault_of(fault: &Fault) -> Outgoing {
    let message = format!("a template of the sandbox failed: {}", fault.message);
    Outgoing::json(500, &json!({"error": {"code": "sandbox", "message": message}}))
}

/// `GET /teams/{id}/channels`
fn shown(route: &SandboxRoute) -> String {
    let segment = |segment: &SandboxSegment| match segment {
        SandboxSegment::Text(text) => text.clone(),
        SandboxSegment::Capture(name) => format!("{{{name}}}"),
    };
    let path: Vec<String> = route.segments.iter().map(segment).collect();
    format!("{} /{}", route.method, path.join("/"))
}
