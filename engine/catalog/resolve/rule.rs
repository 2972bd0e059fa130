//! Rules, waits, locators, patterns.

use std::sync::Arc;

use regex::RegexBuilder;

use crate::{
    catalog::{
        decode::{Raw, decode},
        resolve::shape::{bad_span, optional, shape, template},
        spec::common::{CodeSpec, LocatorSpec, OutcomeSpec, RuleSpec, UnitSpec, WhenSpec},
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        failure::Code,
        rule::{Locator, Match, OutcomeKind, Pattern, Rule, Source, StatusMatch, Unit, Wait, When},
        time::parse_span,
    },
    template::{check::Use, knowledge::Symbols},
};

/// Larger compiled expressions are refused.
const LARGEST_REGEX: usize = 1 << 20;

/// Rules in order; unsound ones are told and left out.
pub fn rules(specs: &[RuleSpec], symbols: &Symbols, diagnostics: &mut Diagnostics) -> Vec<Rule> {
    specs.iter().filter_map(|spec| rule(spec, symbols, diagnostics)).collect()
}

fn rule(spec: &RuleSpec, symbols: &Symbols, diagnostics: &mut Diagnostics) -> Option<Rule> {
    let when = when(&spec.when.0, symbols, diagnostics);
    let is = outcome(spec.is.value);
    let waits_for = matches!(is, OutcomeKind::RateLimited | OutcomeKind::Retry);
    for (key, misplaced, hint) in [
        ("code", spec.code.is_some() && is != OutcomeKind::Error, "`code` belongs to `is: error`"),
        (
            "wait",
            spec.wait.is_some() && !waits_for,
            "`wait` belongs to `is: rate_limited` and `is: retry`",
        ),
        ("value", spec.value.is_some() && is != OutcomeKind::Ok, "`value` belongs to `is: ok`"),
    ] {
        if misplaced {
            let message = format!("`{}` takes no `{key}`", is.as_str());
            let place = Some(spec.is.node.place.clone());
            diagnostics.push(
                Severity::Error,
                "file.bad-value",
                message,
                place,
                Some(hint.to_owned()),
            );
        }
    }
    let lenient = symbols.clone().lenient();
    let message = spec.message.as_ref();
    let message = message.and_then(|raw| template(&raw.0, &lenient, Use::Text, diagnostics));
    let wait = spec.wait.as_ref().map(|raw| waits(&raw.0, &lenient, diagnostics));
    let value = spec.value.as_ref().and_then(|raw| shape(&raw.0, symbols, diagnostics));
    let (code, wait) = (spec.code.map(code), wait.unwrap_or_default());
    Some(Rule { when: when?, is, code, message, wait, value })
}

/// `is`
pub fn outcome(spec: OutcomeSpec) -> OutcomeKind {
    match spec {
        OutcomeSpec::Ok => OutcomeKind::Ok,
        OutcomeSpec::Retry => OutcomeKind::Retry,
        OutcomeSpec::RateLimited => OutcomeKind::RateLimited,
        OutcomeSpec::Refresh => OutcomeKind::Refresh,
        OutcomeSpec::Reauthorize => OutcomeKind::Reauthorize,
        OutcomeSpec::Error => OutcomeKind::Error,
    }
}

/// `code`
pub fn code(spec: CodeSpec) -> Code {
    match spec {
        CodeSpec::InvalidInput => Code::InvalidInput,
        CodeSpec::Unauthorized => Code::Unauthorized,
        CodeSpec::Forbidden => Code::Forbidden,
        CodeSpec::NotFound => Code::NotFound,
        CodeSpec::Conflict => Code::Conflict,
        CodeSpec::PaymentRequired => Code::PaymentRequired,
        CodeSpec::RateLimited => Code::RateLimited,
        CodeSpec::ProviderError => Code::ProviderError,
        CodeSpec::Timeout => Code::Timeout,
    }
}

fn when(node: &Arc<Node>, symbols: &Symbols, diagnostics: &mut Diagnostics) -> Option<When> {
    if node.as_str().is_some() {
        return template(node, symbols, Use::Condition, diagnostics).map(When::Expr);
    }
    let spec: WhenSpec = decode(node, diagnostics)?;
    let told = diagnostics.list.len();
    let mut found = Match::default();
    if let Some(Raw(node)) = &spec.status {
        let all = if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() };
        for node in all {
            found.status.extend(status(node, diagnostics));
        }
    }
    for (name, Raw(node)) in spec.header.unwrap_or_default() {
        let pattern = pattern(&node, diagnostics);
        found.header.extend(pattern.map(|pattern| (name.to_ascii_lowercase(), pattern)));
    }
    found.body = spec.body.as_ref().and_then(|Raw(node)| pattern(node, diagnostics));
    (diagnostics.list.len() == told).then_some(When::Match(found))
}

fn status(node: &Arc<Node>, diagnostics: &mut Diagnostics) -> Option<StatusMatch> {
    let found = match &node.kind {
        Kind::Number(number) => number
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| (100..=599).contains(status))
            .map(StatusMatch::Is),
        Kind::String(text) => match text.as_bytes() {
            [class @ b'1'..=b'5', b'x', b'x'] => Some(StatusMatch::Class(class - b'0')),
            _ => None,
        },
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => None,
    };
    if found.is_none() {
        let message = format!("expected a status, found {}", node.describe());
        let hint =
            "write a number such as `429`, a class such as `5xx`, or a list of these".to_owned();
        diagnostics.push(
            Severity::Error,
            "file.bad-value",
            message,
            Some(node.place.clone()),
            Some(hint),
        );
    }
    found
}

/// A pattern of a value.
fn pattern(node: &Arc<Node>, diagnostics: &mut Diagnostics) -> Option<Pattern> {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
            Some(Pattern::Is(node.to_json()))
        }
        Kind::List(nodes) => {
            let all: Vec<_> = nodes.iter().map(|node| pattern(node, diagnostics)).collect();
            all.into_iter().collect::<Option<_>>().map(Pattern::Any)
        }
        Kind::Map(entries) if entries.iter().any(|(key, _)| key.name.starts_with('$')) => {
            let all: Vec<_> =
                entries.iter().map(|(key, node)| operator(&key.name, node, diagnostics)).collect();
            let mut all: Vec<Pattern> = all.into_iter().collect::<Option<_>>()?;
            if all.len() == 1 { all.pop() } else { Some(Pattern::All(all)) }
        }
        Kind::Map(entries) => {
            let all: Vec<_> = entries
                .iter()
                .map(|(key, node)| Some((key.name.to_string(), pattern(node, diagnostics)?)))
                .collect();
            all.into_iter().collect::<Option<_>>().map(Pattern::Keys)
        }
    }
}

fn operator(name: &str, node: &Arc<Node>, diagnostics: &mut Diagnostics) -> Option<Pattern> {
    let bad = |diagnostics: &mut Diagnostics, wanted: &str| {
        let message = format!("`{name}` needs {wanted}, found {}", node.describe());
        diagnostics.error("file.wrong-type", message, Some(node.place.clone()));
        None
    };
    match (name, &node.kind) {
        ("$regex", Kind::String(_)) => regex(node, diagnostics).map(Pattern::Regex),
        ("$regex", _) => bad(diagnostics, "a text"),
        ("$exists", Kind::Bool(wanted)) => Some(Pattern::Exists(*wanted)),
        ("$exists", _) => bad(diagnostics, "true or false"),
        ("$not", _) => pattern(node, diagnostics).map(|inner| Pattern::Not(Box::new(inner))),
        ("$gte", Kind::Number(number)) => number.as_f64().map(Pattern::Gte),
        ("$lt", Kind::Number(number)) => number.as_f64().map(Pattern::Lt),
        ("$gte" | "$lt", _) => bad(diagnostics, "a number"),
        _ => {
            let hint =
                crate::diagnostic::suggest(name, ["$regex", "$exists", "$not", "$gte", "$lt"]);
            let message = format!("there is no pattern `{name}`");
            diagnostics.push(
                Severity::Error,
                "file.unknown-key",
                message,
                Some(node.place.clone()),
                hint,
            );
            None
        }
    }
}

/// A regular expression, in linear time and bounded.
pub fn regex(node: &Node, diagnostics: &mut Diagnostics) -> Option<regex::Regex> {
    let built = RegexBuilder::new(node.as_str()?).size_limit(LARGEST_REGEX).build();
    built
        .inspect_err(|error| {
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or("it cannot be read")
                .trim()
                .trim_start_matches("error: ");
            let message = format!("this is no regular expression: {reason}");
            diagnostics.error("file.bad-regex", message, Some(node.place.clone()));
        })
        .ok()
}

/// A span, a locator, or a list of these.
fn waits(node: &Arc<Node>, symbols: &Symbols, diagnostics: &mut Diagnostics) -> Vec<Wait> {
    match &node.kind {
        Kind::List(nodes) => {
            nodes.iter().flat_map(|node| waits(node, symbols, diagnostics)).collect()
        }
        Kind::String(text) => match parse_span(text) {
            Some(span) => vec![Wait::For(span)],
            None => {
                bad_span(node, diagnostics);
                Vec::new()
            }
        },
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {
            bad_span(node, diagnostics);
            Vec::new()
        }
        Kind::Map(_) => decode::<LocatorSpec>(node, diagnostics)
            .and_then(|spec| locator(&spec, (node, symbols), diagnostics))
            .map(Wait::At)
            .into_iter()
            .collect(),
    }
}

/// A locator: header or body, exactly one.
pub fn locator(
    spec: &LocatorSpec,
    (node, symbols): (&Node, &Symbols),
    diagnostics: &mut Diagnostics,
) -> Option<Locator> {
    let from = match (&spec.header, &spec.body) {
        (Some(name), None) => Some(Source::Header(name.to_ascii_lowercase())),
        (None, Some(raw)) => template(&raw.0, symbols, Use::Value, diagnostics).map(Source::Body),
        (Some(_), Some(_)) | (None, None) => {
            let message = "a locator names either a `header` or the `body`";
            diagnostics.error("file.bad-value", message, Some(node.place.clone()));
            None
        }
    };
    let regex = optional(spec.regex.as_ref(), |text| regex(&text.node, diagnostics));
    let unit = match spec.unit {
        UnitSpec::Seconds => Unit::Seconds,
        UnitSpec::Ms => Unit::Ms,
        UnitSpec::EpochS => Unit::EpochS,
        UnitSpec::EpochMs => Unit::EpochMs,
        UnitSpec::HttpDate => Unit::HttpDate,
        UnitSpec::Iso => Unit::Iso,
        UnitSpec::Number => Unit::Number,
    };
    Some(Locator { from: from?, regex: regex?, unit })
}
