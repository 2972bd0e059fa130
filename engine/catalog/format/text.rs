//! Templates, and JSON in which texts are templates, each checked against what its place may see.

use std::sync::Arc;

use serde_json::{Number, Value};

use crate::{
    catalog::{
        form::prelude::*,
        format::{host, symbols::Names},
        tree::{Kind, Node},
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        http::{HeaderName, is_framing},
        name,
        template::{Expr, MapShape, Part, Path, Shape, Template},
    },
    template::{
        self,
        check::{self, Use},
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// A template at a place.
#[derive(Clone, Copy)]
pub struct Text<'s> {
    symbols: &'s Symbols,
    place: Use,
}

/// A template that becomes a text.
pub fn text(symbols: &Symbols) -> Text<'_> {
    Text { symbols, place: Use::Text }
}

/// A template that becomes any value.
pub fn value(symbols: &Symbols) -> Text<'_> {
    Text { symbols, place: Use::Value }
}

/// A template that is true or false.
pub fn condition(symbols: &Symbols) -> Text<'_> {
    Text { symbols, place: Use::Condition }
}

/// A template that becomes the path of a request.
pub fn path(symbols: &Symbols) -> Text<'_> {
    Text { symbols, place: Use::Path }
}

impl Form for Text<'_> {
    type Value = Template;

    fn kind(&mut self, _: &mut Description) -> Described {
        match self.place {
            Use::Condition => Described::Text(Some("{{exists body.id}}")),
            Use::Value | Use::Text | Use::Path | Use::BaseUrl => Described::Template,
        }
    }

    /// Numbers and booleans are their own text, and no condition.
    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Template> {
        let text = match &node.kind {
            Kind::String(_) => node.template_text()?,
            Kind::Number(_) | Kind::Bool(_) if self.place == Use::Condition => {
                return wrong_type(node, "one expression", found);
            }
            Kind::Number(number) => return Some(Template::text(&digits(node, number))),
            Kind::Bool(value) => {
                return Some(Template::text(if *value { "true" } else { "false" }));
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => return wrong_type(node, "a text", found),
        };
        let parsed = match template::parse(&text) {
            Ok(parsed) => parsed,
            Err(error) => {
                report(node, &error, "template.syntax", found);
                return None;
            }
        };
        for error in check::template(&parsed, self.symbols, self.place) {
            report(node, &error, "template.name", found);
        }
        Some(parsed)
    }

    fn spelled(&self, template: &Template) -> Option<String> {
        Some(template.source.to_string())
    }
}

impl Blank for Text<'_> {
    fn blank(&mut self) -> Template {
        Template::text("")
    }
}

fn report(node: &Node, error: &template::Error, code: &'static str, found: &mut Diagnostics) {
    // To find the place is to search the text: not for an error that nobody is shown.
    let place = if found.is_full(Severity::Error) {
        node.place.clone()
    } else {
        node.place_within(error.offset, error.len)
    };
    found.error(code, error.message.clone()).at(&place).maybe_hint(error.hint.clone());
}

/// A whole URL: its host is safe by the rule of `base_url`.
#[derive(Clone, Copy)]
pub struct Url<'s> {
    symbols: &'s Symbols,
    names: &'s Names,
}

/// A template that becomes a whole URL.
pub fn url<'s>(symbols: &'s Symbols, names: &'s Names) -> Url<'s> {
    Url { symbols, names }
}

impl Form for Url<'_> {
    type Value = Template;

    fn kind(&mut self, _: &mut Description) -> Described {
        Described::Template
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Template> {
        let url = Text { symbols: self.symbols, place: Use::BaseUrl }.read(node, found)?;
        host::check(&url, (node, self.names), found);
        Some(url)
    }
}

impl Blank for Url<'_> {
    fn blank(&mut self) -> Template {
        Template::text("")
    }
}

/// `{{credentials.NAME}}`
pub fn credential(name: &str) -> Template {
    let path = Path { root: "credentials".to_owned(), segments: vec![name.to_owned()], offset: 2 };
    let source = format!("{{{{credentials.{name}}}}}");
    Template { source: source.into(), parts: vec![Part::Expr(Expr::Path(path))] }
}

/// JSON in which texts may be templates.
#[derive(Clone, Copy)]
pub struct Json<'s> {
    symbols: &'s Symbols,
    /// Whether it is sent as text: in a query, in a form.
    as_text: bool,
}

/// Any JSON in which texts may be templates.
pub fn json(symbols: &Symbols) -> Json<'_> {
    Json { symbols, as_text: false }
}

/// An object of [`json`], by any key.
pub fn pairs(symbols: &Symbols) -> Map<Json<'_>> {
    Map(json(symbols))
}

/// Any JSON that is sent as text: numbers go out as they are written.
pub fn as_text(symbols: &Symbols) -> Json<'_> {
    Json { symbols, as_text: true }
}

impl Json<'_> {
    fn number(self, node: &Node, number: &Number, found: &mut Diagnostics) -> Value {
        let written = digits(node, number);
        if written == number.to_string() {
            return Value::Number(number.clone());
        }
        if self.as_text {
            return Value::String(written);
        }
        found
            .warning("file.rewritten", format!("`{written}` is the number `{number}` here"))
            .at(&node.place)
            .hint(format!("quote it if it is a text: `'{written}'`"));
        Value::Number(number.clone())
    }
}

impl Form for Json<'_> {
    type Value = Shape;

    fn kind(&mut self, _: &mut Description) -> Described {
        Described::Any
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Shape> {
        match &node.kind {
            Kind::Null | Kind::Bool(_) => Some(Shape::Literal(node.to_json())),
            Kind::Number(number) => Some(Shape::Literal(self.number(node, number, found))),
            Kind::String(_) => {
                let parsed = value(self.symbols).read(node, found)?;
                Some(match parsed.as_text() {
                    Some(text) => Shape::Literal(text.into()),
                    None => Shape::Template(parsed),
                })
            }
            Kind::List(nodes) => {
                let all: Vec<Shape> =
                    nodes.iter().filter_map(|node| self.read(node, found)).collect();
                Some(literal_list(&all).map_or(Shape::List(all), Shape::Literal))
            }
            Kind::Map(entries) if entries.iter().any(|(key, _)| &*key.name == "$map") => {
                map(node, *self, found)
            }
            Kind::Map(entries) => {
                let mut members = Vec::with_capacity(entries.len());
                for (key, node) in entries {
                    // `$$map` writes a literal `$map`.
                    let escaped =
                        key.name.strip_prefix('$').filter(|rest| rest.starts_with("$map"));
                    let name = escaped.unwrap_or(&key.name);
                    members.extend(self.read(node, found).map(|shape| (name.to_owned(), shape)));
                }
                Some(literal_object(&members).map_or(Shape::Object(members), Shape::Literal))
            }
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
fn map(node: &Arc<Node>, around: Json<'_>, found: &mut Diagnostics) -> Option<Shape> {
    let symbols = around.symbols;
    for (key, _) in node.entries() {
        if !matches!(&*key.name, "$map" | "as" | "where" | "to") {
            found
                .error("file.unknown-key", format!("`$map` has no key `{}`", key.name))
                .at(&key.place)
                .hint("write `{$map: list, as: name, where: bool, to: value}`");
        }
    }
    let list = value(symbols).read(node.get("$map")?, found);
    let (Some(name), Some(to)) = (node.get("as").and_then(|n| n.as_str()), node.get("to")) else {
        found.error("file.missing-key", "`$map` needs `as` and `to`").at(&node.place);
        return None;
    };
    if !name::is_identifier(name) {
        let place = node.get("as").map(|node| &node.place);
        let message = format!("`{name}` cannot be a name in templates");
        found.error("file.bad-name", message).maybe_at(place);
    }
    let element = match list.as_ref().map(|list| check::result(list, symbols)) {
        Some(Knowledge::List(element)) => *element,
        Some(Knowledge::Open | Knowledge::Record { .. } | Knowledge::Leaf) | None => {
            Knowledge::Open
        }
    };
    let inner = symbols.clone().with(name, element, Presence::Always);
    let filter = node.get("where").and_then(|node| condition(&inner).read(node, found));
    let to = Json { symbols: &inner, ..around }.read(to, found);
    Some(Shape::Map(Box::new(MapShape { list: list?, name: name.to_owned(), filter, to: to? })))
}

/// What stands under `key`, by names of header fields.
pub fn named<V>(
    o: &mut Object<'_>,
    key: &'static str,
    fields: impl IntoIterator<Item = (String, V)>,
) -> Vec<(HeaderName, V)> {
    let mut found = Vec::new();
    for (name, value) in fields {
        match field_name(&name) {
            Some(name) => found.push((name, value)),
            None => {
                o.error_at(key, "file.bad-name", format!("`{name}` cannot name a header"));
            }
        }
    }
    found
}

/// Header fields.
#[derive(Clone, Copy)]
pub struct Headers<'s>(&'s Symbols);

/// Header fields.
pub fn headers(symbols: &Symbols) -> Headers<'_> {
    Headers(symbols)
}

impl Form for Headers<'_> {
    type Value = Vec<(HeaderName, Template)>;

    fn kind(&mut self, all: &mut Description) -> Described {
        Described::Fields(Box::new(text(self.0).kind(all)))
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value> {
        let fields = Map(text(self.0)).read(node, found)?;
        for (key, _) in node.entries().iter().filter(|(key, _)| field_name(&key.name).is_none()) {
            let message = format!("`{}` cannot name a header", key.name);
            found.error("file.bad-name", message).at(&key.place);
        }
        let framing = |name: &str| field_name(name).is_some_and(|name| is_framing(&name));
        for (key, _) in node.entries().iter().filter(|(key, _)| framing(&key.name)) {
            let message = format!("`{}` is written with each message by the engine", key.name);
            found.error("file.bad-name", message).at(&key.place).hint("take it out");
        }
        Some(fields.into_iter().filter_map(|(n, field)| Some((field_name(&n)?, field))).collect())
    }
}
