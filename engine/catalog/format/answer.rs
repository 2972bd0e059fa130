//! Patterns of answers, and where in an answer something stands.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::{
    catalog::{
        form::prelude::*,
        format::text::{named, value},
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, suggest},
    model::{
        rule::{Locator, Match, Pattern, Source, StatusMatch, Unit, Wait},
        template::Template,
    },
    template::knowledge::Symbols,
};

/// Larger compiled expressions are refused.
const LARGEST_REGEX: usize = 1 << 20;

/// `{status, header, body}`, all given must fit.
pub fn matching(o: &mut Object<'_>) -> Match {
    let status = "A number, a class such as `5xx`, or a list of these.";
    let header = "Patterns of header values; names are case-blind, values are texts.";
    let fields = o.map(key("header", header), PatternForm);
    Match {
        status: o.or_empty(key("status", status), OneOrMany(STATUS)),
        header: named(o, "header", fields),
        body: o.optional(key("body", "A pattern of the body."), PatternForm),
    }
}

/// `404`, `5xx`
const STATUS: Scalar<StatusMatch> = Scalar {
    kind: Described::Status,
    expected: "a status",
    read: |node| {
        if !matches!(node.kind, Kind::Number(_) | Kind::String(_)) {
            return Err(Wrong::Type);
        }
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a status",
            hint: "write a number such as `429`, a class such as `5xx`, or a list of these",
        };
        status(node).ok_or(Wrong::Value(refusal))
    },
    blank: || StatusMatch::Class(2),
    spelled: |status| format!("{status:?}"),
};

fn status(node: &Node) -> Option<StatusMatch> {
    if let Kind::Number(number) = &node.kind {
        let status = u16::try_from(number.as_u64()?).ok()?;
        return (100..=599).contains(&status).then_some(StatusMatch::Is(status));
    }
    match node.as_str()?.as_bytes() {
        [class @ b'1'..=b'5', b'x', b'x'] => Some(StatusMatch::Class(class - b'0')),
        _ => None,
    }
}

/// A pattern of a value.
#[derive(Debug, Clone, Copy)]
pub struct PatternForm;

impl Form for PatternForm {
    type Value = Pattern;

    fn kind(&mut self, _: &mut Description) -> Described {
        Described::Any
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Pattern> {
        match &node.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
                Some(Pattern::Is(node.to_json()))
            }
            Kind::List(nodes) => {
                let all = nodes.iter().filter_map(|node| self.read(node, found));
                Some(Pattern::Any(all.collect()))
            }
            Kind::Map(entries) if entries.iter().any(|(key, _)| key.name.starts_with('$')) => {
                let all = entries.iter().filter_map(|(key, node)| operator(&key.name, node, found));
                let mut all: Vec<Pattern> = all.collect();
                if all.len() == 1 { all.pop() } else { Some(Pattern::All(all)) }
            }
            Kind::Map(_) => Map(Self).read(node, found).map(Pattern::Keys),
        }
    }
}

fn operator(name: &str, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Pattern> {
    match (name, &node.kind) {
        ("$regex", _) => RegexForm.read(node, found).map(Pattern::Regex),
        ("$exists", Kind::Bool(wanted)) => Some(Pattern::Exists(*wanted)),
        ("$exists", _) => wrong_type(node, "`true` or `false`", found),
        ("$not", _) => PatternForm.read(node, found).map(|inner| Pattern::Not(Box::new(inner))),
        ("$gte", Kind::Number(number)) => Some(Pattern::Gte(number.clone())),
        ("$lt", Kind::Number(number)) => Some(Pattern::Lt(number.clone())),
        ("$gte" | "$lt", _) => wrong_type(node, "a number", found),
        _ => {
            found
                .error("file.unknown-key", format!("there is no pattern `{name}`"))
                .at(&node.place)
                .maybe_hint(suggest(name, ["$regex", "$exists", "$not", "$gte", "$lt"]));
            None
        }
    }
}

/// A regular expression, in linear time and bounded.
#[derive(Debug, Clone, Copy)]
pub struct RegexForm;

impl Form for RegexForm {
    type Value = Regex;

    fn kind(&mut self, _: &mut Description) -> Described {
        Described::Text(Some("after (\\d+)s"))
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Regex> {
        let Some(text) = node.as_str() else { return wrong_type(node, "a text", found) };
        let built = RegexBuilder::new(text).size_limit(LARGEST_REGEX).build();
        let error = match built {
            Ok(regex) => return Some(regex),
            Err(error) => error.to_string(),
        };
        let reason = error.lines().last().unwrap_or("it cannot be read").trim();
        let reason = reason.trim_start_matches("error: ");
        let message = format!("this is not a regular expression: {reason}");
        found.error("file.bad-regex", message).at(&node.place);
        None
    }
}

/// A span such as `30s`, or where the answer says it; or a list of these.
pub fn waits(symbols: &Symbols) -> OneOrMany<impl Form<Value = Wait>> {
    OneOrMany(Either {
        first: |node| !matches!(node.kind, Kind::Map(_)),
        a: Scalar {
            kind: SPAN.kind,
            expected: "a span of time",
            read: |node| (SPAN.read)(node).map(Wait::For),
            blank: || Wait::For((SPAN.blank)()),
            spelled: |wait| format!("{wait:?}"),
        },
        b: object(LOCATOR, LOCATOR_DOC, |o| Wait::At(locator(o, symbols))),
    })
}

/// The name of [`locator`].
pub const LOCATOR: &str = "Locator";
/// What it is.
pub const LOCATOR_DOC: &str = "Where in an answer a number or a time stands.";

/// Where in an answer something stands: header or body, exactly one.
pub fn locator(o: &mut Object<'_>, symbols: &Symbols) -> Locator {
    let header = o.optional(key("header", "A header's name."), HEADER);
    let body = o.optional(key("body", "An expression over `body`."), value(symbols));
    if o.raw("header").is_some() == o.raw("body").is_some() {
        o.error("file.bad-value", "a locator names either a `header` or the `body`");
    }
    Locator {
        from: match (header, body) {
            (Some(name), _) => Source::Header(name),
            (None, body) => Source::Body(body.unwrap_or_else(|| Template::text(""))),
        },
        regex: o.optional(
            key("regex", "First group of a regular expression, or its whole match."),
            RegexForm,
        ),
        unit: o.choice(key("as", "How to read it; never guessed."), &UNITS, Unit::Number),
    }
}

static UNITS: Choices<Unit> = Choices {
    name: "Unit",
    doc: "The unit of a located value.",
    rows: &[
        row("seconds", Unit::Seconds, "From now; decimals allowed, for Retry-After also a date."),
        row("ms", Unit::Ms, "Milliseconds from now."),
        row("epoch_s", Unit::EpochS, "Seconds since 1970."),
        row("epoch_ms", Unit::EpochMs, "Milliseconds since 1970."),
        row("span", Unit::Span, "From now, with its units: `1m30s`."),
        row("http_date", Unit::HttpDate, "A date as HTTP has it."),
        row("iso", Unit::Iso, "ISO 8601."),
        row("number", Unit::Number, "A count."),
    ],
};
