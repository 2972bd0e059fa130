//! Nodes → templates and shapes, each checked against what its place may see.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    catalog::{
        decode::Located,
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, Place, Severity},
    model::{
        name,
        template::{MapShape, Shape, Template},
        time::parse_span,
    },
    template::{
        self,
        check::{self, Use},
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// What may be left out. The outer `None`: there is a fault in it, which has been told. Callers
/// hand it on only when all else has been looked at, so that no fault hides another.
#[expect(clippy::option_option, reason = "the outer one is for `?`, when all has been looked at")]
pub fn optional<S, T>(given: Option<S>, read: impl FnOnce(S) -> Option<T>) -> Option<Option<T>> {
    given.map_or(Some(None), |given| read(given).map(Some))
}

/// A template at a place. Numbers and booleans are their own text.
pub fn template(
    node: &Arc<Node>,
    symbols: &Symbols,
    place: Use,
    diagnostics: &mut Diagnostics,
) -> Option<Template> {
    let text = match &node.kind {
        Kind::String(_) => node.template_text()?,
        Kind::Number(number) => return Some(Template::text(&number.to_string())),
        Kind::Bool(value) => return Some(Template::text(if *value { "true" } else { "false" })),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            let message = format!("expected a text, found {}", node.describe());
            diagnostics.error("file.wrong-type", message, Some(node.place.clone()));
            return None;
        }
    };
    let parsed = match template::parse(&text) {
        Ok(parsed) => parsed,
        Err(error) => {
            tell(node, &error, "template.syntax", diagnostics);
            return None;
        }
    };
    for error in check::template(&parsed, symbols, place) {
        tell(node, &error, "template.name", diagnostics);
    }
    Some(parsed)
}

fn tell(node: &Node, error: &template::Error, code: &'static str, diagnostics: &mut Diagnostics) {
    let place = node.place_within(error.offset, error.len);
    diagnostics.push(Severity::Error, code, error.message.clone(), Some(place), error.hint.clone());
}

/// Any JSON in which strings may be templates.
pub fn shape(node: &Arc<Node>, symbols: &Symbols, diagnostics: &mut Diagnostics) -> Option<Shape> {
    match &node.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => Some(Shape::Literal(node.to_json())),
        Kind::String(_) => {
            let parsed = template(node, symbols, Use::Value, diagnostics)?;
            Some(match parsed.as_text() {
                Some(text) => Shape::Literal(text.into()),
                None => Shape::Template(parsed),
            })
        }
        Kind::List(nodes) => {
            let all: Vec<Option<Shape>> =
                nodes.iter().map(|node| shape(node, symbols, diagnostics)).collect();
            let all: Vec<Shape> = all.into_iter().collect::<Option<_>>()?;
            Some(literal_list(&all).map_or(Shape::List(all), Shape::Literal))
        }
        Kind::Map(entries) => {
            if entries.iter().any(|(key, _)| &*key.name == "$map") {
                return map(node, symbols, diagnostics);
            }
            let mut members = Vec::with_capacity(entries.len());
            let mut sound = true;
            for (key, node) in entries {
                // `$$map` writes a literal `$map`.
                let name = key
                    .name
                    .strip_prefix('$')
                    .filter(|rest| rest.starts_with("$map"))
                    .unwrap_or(&key.name);
                match shape(node, symbols, diagnostics) {
                    Some(shape) => members.push((name.to_owned(), shape)),
                    None => sound = false,
                }
            }
            sound.then(|| literal_object(&members).map_or(Shape::Object(members), Shape::Literal))
        }
    }
}

fn literal_list(all: &[Shape]) -> Option<Value> {
    all.iter().map(literal).collect::<Option<Vec<_>>>().map(Value::Array)
}

fn literal_object(members: &[(String, Shape)]) -> Option<Value> {
    members.iter().map(|(name, shape)| Some((name.clone(), literal(shape)?))).collect()
}

fn literal(shape: &Shape) -> Option<Value> {
    match shape {
        Shape::Literal(value) => Some(value.clone()),
        Shape::Template(_) | Shape::Object(_) | Shape::List(_) | Shape::Map(_) => None,
    }
}

/// `{$map: list, as: name, where?: bool, to: value}`
fn map(node: &Arc<Node>, symbols: &Symbols, diagnostics: &mut Diagnostics) -> Option<Shape> {
    for (key, _) in node.entries() {
        if !matches!(&*key.name, "$map" | "as" | "where" | "to") {
            let message = format!("`$map` has no key `{}`", key.name);
            let hint = "write `{$map: list, as: name, where: bool, to: value}`".to_owned();
            diagnostics.push(
                Severity::Error,
                "file.unknown-key",
                message,
                Some(key.place.clone()),
                Some(hint),
            );
        }
    }
    let list = template(node.get("$map")?, symbols, Use::Value, diagnostics);
    let (Some(name), Some(to)) = (node.get("as").and_then(|n| n.as_str()), node.get("to")) else {
        let message = "`$map` needs `as` and `to`";
        diagnostics.error("file.missing-key", message, Some(node.place.clone()));
        return None;
    };
    if !name::is_identifier(name) {
        let place = node.get("as").map(|node| node.place.clone());
        diagnostics.error(
            "file.bad-name",
            format!("`{name}` cannot be a name in templates"),
            place,
        );
    }
    let element = match list.as_ref().map(|list| check::result(list, symbols)) {
        Some(Knowledge::List(element)) => *element,
        Some(Knowledge::Open | Knowledge::Record { .. } | Knowledge::Leaf) | None => {
            Knowledge::Open
        }
    };
    let inner = symbols.clone().with(name, element, Presence::Always);
    let filter =
        optional(node.get("where"), |node| template(node, &inner, Use::Condition, diagnostics));
    let to = shape(to, &inner, diagnostics);
    let (list, filter, to) = (list?, filter?, to?);
    Some(Shape::Map(Box::new(MapShape { list, name: name.to_owned(), filter, to })))
}

/// Members of an object, in order.
pub fn pairs(
    node: Option<&Arc<Node>>,
    symbols: &Symbols,
    diagnostics: &mut Diagnostics,
) -> Vec<(String, Shape)> {
    let Some(node) = node.filter(|node| is_object(node, diagnostics)) else { return Vec::new() };
    let all = node.entries().iter();
    all.filter_map(|(key, node)| Some((key.name.to_string(), shape(node, symbols, diagnostics)?)))
        .collect()
}

/// Header fields, names in lower case.
pub fn headers(
    node: Option<&Arc<Node>>,
    symbols: &Symbols,
    diagnostics: &mut Diagnostics,
) -> Vec<(String, Template)> {
    let Some(node) = node.filter(|node| is_object(node, diagnostics)) else { return Vec::new() };
    let mut found = Vec::new();
    for (key, node) in node.entries() {
        let Some(name) = field_name(&key.name, &key.place, diagnostics) else { continue };
        if let Some(template) = template(node, symbols, Use::Text, diagnostics) {
            found.push((name, template));
        }
    }
    found
}

/// The name of a header field, in lower case.
pub fn header_name(text: &Located<String>, diagnostics: &mut Diagnostics) -> Option<String> {
    field_name(&text.value, &text.node.place, diagnostics)
}

/// A token of RFC 9110, section 5.6.2, in lower case.
fn field_name(name: &str, place: &Place, diagnostics: &mut Diagnostics) -> Option<String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        let message = format!("`{name}` cannot name a header");
        diagnostics.error("file.bad-name", message, Some(place.clone()));
        return None;
    }
    Some(name.to_ascii_lowercase())
}

fn is_object(node: &Node, diagnostics: &mut Diagnostics) -> bool {
    let object = matches!(node.kind, Kind::Map(_));
    if !object && !node.is_null() {
        let message = format!("expected an object, found {}", node.describe());
        diagnostics.error("file.wrong-type", message, Some(node.place.clone()));
    }
    object
}

/// A span of time such as `30s`.
pub fn span(text: Option<&Located<String>>, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let text = text?;
    let found = parse_span(&text.value);
    if found.is_none() {
        bad_span(&text.node, diagnostics);
    }
    found
}

/// Says what a span looks like.
pub fn bad_span(node: &Node, diagnostics: &mut Diagnostics) {
    let message = format!("expected a span of time, found {}", node.describe());
    let hint = "write a number and a unit without a space: `500ms`, `30s`, `2m`, `1h`, `7d`";
    diagnostics.push(
        Severity::Error,
        "file.bad-span",
        message,
        Some(node.place.clone()),
        Some(hint.to_owned()),
    );
}
