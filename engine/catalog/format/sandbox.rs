//! `sandbox`: canned resources.

use serde_json::json;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            request::{PATHS, target},
            text::{condition, headers, json, text},
        },
    },
    model::sandbox::{Sandbox, SandboxBody, SandboxRoute, SandboxSegment},
    template::knowledge::{Knowledge, Presence, Symbols},
};

/// `sandbox` of a blueprint.
pub fn form() -> impl Form<Value = Sandbox> {
    object("Sandbox", "Replies for trying a blueprint without an account.", sandbox)
}

/// Replies for trying a blueprint without an account.
pub fn sandbox(o: &mut Object<'_>) -> Sandbox {
    let symbols = ["path", "query", "body", "headers"]
        .iter()
        .fold(Symbols::new(), |all, name| all.with(name, Knowledge::Open, Presence::Always));
    let canned = "A canned resource. Templates see `path`, `query`, `body`, `headers`.";
    Sandbox {
        account: o
            .optional(key("account", "What the account looks like."), JSON)
            .unwrap_or_else(|| json!({})),
        routes: o.list(
            key("routes", "First fit answers."),
            object("Route", canned, |o| route(o, &symbols)),
        ),
    }
}

fn route(o: &mut Object<'_>, symbols: &Symbols) -> SandboxRoute {
    let (method, path) = target(o, "route", &PATHS, &TEXT);
    let segment = |text: &str| match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
        Some(name) => SandboxSegment::Capture(name.to_owned()),
        None => SandboxSegment::Text(text.to_owned()),
    };
    o.at_most_one("body", &["json", "text"]);
    let data = o.optional(key("json", "A JSON body."), json(symbols)).map(SandboxBody::Json);
    let words = o.optional(key("text", "A text body."), text(symbols)).map(SandboxBody::Text);
    let fit = "Must be true for the route to fit.";
    let cut = "Cuts the list in the answer into pages of so many, by the blueprint's pagination.";
    SandboxRoute {
        method,
        segments: path.trim_start_matches('/').split('/').map(segment).collect(),
        when: o.optional(key("when", fit), condition(symbols)),
        status: o.or(key("status", "Of the answer."), REPLY_STATUS, 200),
        headers: o.or_empty(key("headers", "Header fields."), headers(symbols)),
        body: data.or(words).unwrap_or(SandboxBody::Empty),
        pages: o
            .optional(key("pages", cut), SMALL)
            .map(|pages| pages as usize)
            .filter(|pages| *pages > 0),
    }
}
