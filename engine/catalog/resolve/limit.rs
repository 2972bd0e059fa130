//! Limits, retry, pagination: policies of a blueprint.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    catalog::{
        decode::Located,
        resolve::{
            rule::locator,
            shape::{optional, span, template},
            symbols::{Names, with_items},
        },
        spec::common::{DraftSpec, KindSpec, LimitSpec, ObserveSpec, PaginateSpec, RetrySpec},
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        http::Method,
        limit::{Limit, Observe, Per, Rate},
        pagination::{Pagination, Style, Target},
        retry::RetryPolicy,
        time::Timestamp,
    },
    template::{
        self, Scope,
        check::Use,
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// Limits in order; `integration` is the root of that name, for rates that a setting decides.
pub fn limits(
    specs: &[Located<LimitSpec>],
    names: &Names,
    integration: &Value,
    diagnostics: &mut Diagnostics,
) -> Vec<Limit> {
    for (at, spec) in specs.iter().enumerate() {
        let name = &spec.value.name;
        if specs.iter().take(at).any(|earlier| earlier.value.name.value == name.value) {
            let message = format!("there are two limits `{}`", name.value);
            diagnostics.error("file.duplicate-name", message, Some(name.node.place.clone()));
        }
    }
    specs.iter().filter_map(|spec| limit(spec, names, integration, diagnostics)).collect()
}

fn limit(
    spec: &Located<LimitSpec>,
    names: &Names,
    integration: &Value,
    diagnostics: &mut Diagnostics,
) -> Option<Limit> {
    let node = &spec.node;
    let spec = &spec.value;
    let request = names.base().with("request", Knowledge::Open, Presence::Always).lenient();
    let mut per = Vec::new();
    for raw in &spec.per {
        per.push(match raw.0.as_str() {
            Some("integration") => Some(Per::Integration),
            Some("connection") => Some(Per::Connection),
            _ => template(&raw.0, &request, Use::Value, diagnostics).map(Per::Expr),
        });
    }
    let when = spec.when.as_ref();
    let mut methods = Vec::new();
    for name in when.map(|when| when.method.as_slice()).unwrap_or_default() {
        match Method::parse(&name.value) {
            Some(method) => methods.push(method),
            None => {
                let message = format!("there is no method `{}`", name.value);
                diagnostics.error("file.unknown-value", message, Some(name.node.place.clone()));
            }
        }
    }
    let observe = optional(spec.observe.as_ref(), |spec| observe(spec, node, diagnostics));
    let rate = optional(spec.rate.as_ref(), |raw| rate(&raw.0, names, integration, diagnostics));
    let concurrency = at_least_one(spec.concurrency.as_ref(), diagnostics);
    if spec.rate.is_none() && spec.concurrency.is_none() && spec.observe.is_none() {
        let message = format!("the limit `{}` limits nothing", spec.name.value);
        let hint = "give it `rate`, `concurrency` or `observe`".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.missing-key",
            message,
            Some(spec.name.node.place.clone()),
            Some(hint),
        );
    }
    let path = when.and_then(|when| when.path.as_ref()).map(|text| path(text, diagnostics));
    Some(Limit {
        name: spec.name.value.clone(),
        per: per.into_iter().collect::<Option<_>>()?,
        methods,
        path,
        rate: rate?,
        concurrency,
        observe: observe?,
    })
}

/// `/teams/*/channels`, below `base_url`.
fn path(text: &Located<String>, diagnostics: &mut Diagnostics) -> String {
    if !text.value.starts_with('/') {
        let message = "a path begins with `/`";
        diagnostics.error("file.bad-value", message, Some(text.node.place.clone()));
    }
    text.value.clone()
}

fn observe(spec: &ObserveSpec, node: &Node, diagnostics: &mut Diagnostics) -> Option<Observe> {
    // Limits are shared: what one run knows does not count.
    let symbols = Symbols::new().with("body", Knowledge::Open, Presence::Always).lenient();
    let [remaining, limit, used, reset] = [&spec.remaining, &spec.limit, &spec.used, &spec.reset]
        .map(|spec| optional(spec.as_ref(), |spec| locator(spec, (node, &symbols), diagnostics)));
    Some(Observe {
        remaining: remaining?,
        limit: limit?,
        used: used?,
        reset: reset?,
        ietf: matches!(spec.draft, Some(DraftSpec::Ietf)),
    })
}

/// `110/10s`, or an expression over `integration` that yields such a text.
fn rate(
    node: &Arc<Node>,
    names: &Names,
    integration: &Value,
    diagnostics: &mut Diagnostics,
) -> Option<Rate> {
    let told = diagnostics.list.len();
    let parsed = template(node, &names.settings(), Use::Text, diagnostics)?;
    if diagnostics.list.len() > told {
        return None;
    }
    let scope = Scope::new(Timestamp(0)).with("integration", integration);
    let text = template::text(&parsed, &scope).ok().flatten().unwrap_or_default();
    let rate = Rate::parse(&text);
    if rate.is_none() {
        let message = format!("expected a rate, found {}", node.describe());
        let hint = "write a count, a slash and a window: `110/10s`, `20/1m`".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-value",
            message,
            Some(node.place.clone()),
            Some(hint),
        );
    }
    rate
}

fn at_least_one(number: Option<&Located<u32>>, diagnostics: &mut Diagnostics) -> Option<u32> {
    let number = number?;
    if number.value == 0 {
        diagnostics.error("file.bad-value", "expected at least 1", Some(number.node.place.clone()));
        return None;
    }
    Some(number.value)
}

/// `retry`, complete.
pub fn retry(spec: Option<&RetrySpec>, diagnostics: &mut Diagnostics) -> RetryPolicy {
    let base = RetryPolicy::default();
    let Some(spec) = spec else { return base };
    RetryPolicy {
        attempts: at_least_one(spec.attempts.as_ref(), diagnostics).unwrap_or(base.attempts),
        initial: span(spec.initial.as_ref(), diagnostics).unwrap_or(base.initial),
        max: span(spec.max.as_ref(), diagnostics).unwrap_or(base.max),
        budget: span(spec.budget.as_ref(), diagnostics).unwrap_or(base.budget),
    }
}

/// `paginate`, complete.
pub fn paginate(
    spec: &PaginateSpec,
    (node, names): (&Node, &Names),
    diagnostics: &mut Diagnostics,
) -> Option<Pagination> {
    let symbols = with_items(names.base());
    let style = style(spec, (node, names), diagnostics);
    let items = optional(spec.items.as_ref(), |raw| {
        template(&raw.0, &names.answer(), Use::Value, diagnostics)
    });
    let more =
        optional(spec.more.as_ref(), |raw| template(&raw.0, &symbols, Use::Condition, diagnostics));
    let size = optional(spec.size.as_ref(), |size| {
        let (to, value) = (target(&size.to, diagnostics), rows(&size.value.0, diagnostics));
        to.zip(value)
    });
    let max_pages = at_least_one(spec.max_pages.as_ref(), diagnostics).unwrap_or(1000);
    Some(Pagination {
        style: style?,
        items: items?,
        more: more?,
        size: size?,
        max_pages,
        max_items: spec.max_items,
    })
}

/// Rows of a page: sent as written, because no value is known yet where pages are planned.
fn rows(node: &Node, diagnostics: &mut Diagnostics) -> Option<Value> {
    let value = match &node.kind {
        Kind::Number(_) => Some(node.to_json()),
        Kind::String(text) if !text.contains("{{") => Some(node.to_json()),
        Kind::String(_) | Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => None,
    };
    if value.is_none() {
        let message = format!("expected a number of rows, found {}", node.describe());
        let hint =
            "to let a caller choose, give the step the parameter itself: `query: {limit: …}`";
        diagnostics.push(
            Severity::Error,
            "file.wrong-type",
            message,
            Some(node.place.clone()),
            Some(hint.to_owned()),
        );
    }
    value
}

fn style(
    spec: &PaginateSpec,
    (node, names): (&Node, &Names),
    diagnostics: &mut Diagnostics,
) -> Option<Style> {
    let symbols = with_items(names.base()).lenient();
    let Some(kind) = &spec.kind else {
        if node.get("kind").is_some() {
            return None;
        }
        let message = "`paginate` needs a `kind`, here or in the blueprint";
        diagnostics.error("file.missing-key", message, Some(node.place.clone()));
        return None;
    };
    let mut missing = |key: &str| {
        let message = format!("this kind of pagination needs `{key}`");
        diagnostics.error("file.missing-key", message, Some(kind.node.place.clone()));
    };
    match kind.value {
        KindSpec::None => Some(Style::None),
        KindSpec::Link => {
            Some(Style::Link { rel: spec.rel.clone().unwrap_or_else(|| "next".to_owned()) })
        }
        KindSpec::Cursor => match &spec.cursor {
            Some(cursor) => {
                let from = template(&cursor.from.0, &symbols, Use::Value, diagnostics);
                let to = target(&cursor.to, diagnostics);
                Some(Style::Cursor { from: from?, to: to? })
            }
            None => {
                missing("cursor");
                None
            }
        },
        KindSpec::NextUrl => match &spec.next {
            Some(next) => {
                Some(Style::NextUrl { next: template(&next.0, &symbols, Use::Value, diagnostics)? })
            }
            None => {
                missing("next");
                None
            }
        },
        KindSpec::Offset | KindSpec::Page => {
            let Some(to) = &spec.to else {
                missing("to");
                return None;
            };
            let to = target(to, diagnostics)?;
            if matches!(kind.value, KindSpec::Page) {
                return Some(Style::Page { to, start: spec.start.unwrap_or(1) });
            }
            Some(Style::Offset { to })
        }
    }
}

/// `query.x`, `json.a.b`, `form.x`, `header.x`
fn target(text: &Located<String>, diagnostics: &mut Diagnostics) -> Option<Target> {
    let found = text.value.split_once('.').filter(|(_, name)| !name.is_empty());
    let found = found.and_then(|(place, name)| match place {
        "query" => Some(Target::Query(name.to_owned())),
        "form" => Some(Target::Form(name.to_owned())),
        "header" => Some(Target::Header(name.to_ascii_lowercase())),
        "json" => Some(Target::Json(name.split('.').map(str::to_owned).collect())),
        _ => None,
    });
    if found.is_none() {
        let message = format!("`{}` is no place in a request", text.value);
        let hint = "write `query.x`, `json.x`, `form.x` or `header.x`".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-value",
            message,
            Some(text.node.place.clone()),
            Some(hint),
        );
    }
    found
}
