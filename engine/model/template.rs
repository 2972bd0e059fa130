//! A template as data. `template/` reads and evaluates it.

use std::sync::Arc;

use serde_json::Value;

/// The text of one YAML string, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// As written, after trimming if it is a lone expression.
    pub source: Arc<str>,
    /// Text and expressions in turn.
    pub parts: Vec<Part>,
}

impl Template {
    /// A template without an expression.
    pub fn text(text: &str) -> Self {
        Self { source: text.into(), parts: vec![Part::Text(text.to_owned())] }
    }

    /// The expression, if the template is exactly one: then its JSON value is the result.
    pub fn lone(&self) -> Option<&Expr> {
        match self.parts.as_slice() {
            [Part::Expr(expr)] => Some(expr),
            _ => None,
        }
    }

    /// The path, if the template is exactly one: `{{a.b}}`.
    pub fn path(&self) -> Option<&Path> {
        match self.lone()? {
            Expr::Path(path) => Some(path),
            Expr::Literal(_) | Expr::Call(_) => None,
        }
    }

    /// The text, if there is no expression in it.
    pub fn as_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it reads `credentials`, or a `signature` over the request: what it makes is put on a
    /// request last, and never recorded.
    pub fn is_secret(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Text(_) => false,
            Part::Expr(expr) => expr.is_secret(),
        })
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Sent as it stands; never scanned again.
    Text(String),
    /// What stood between `{{` and `}}`.
    Expr(Expr),
}

/// What can stand between `{{` and `}}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `input.team.id`
    Path(Path),
    /// `"text"`, `12`, `true`, `null`
    Literal(Value),
    /// `helper arg name=arg`
    Call(Box<Call>),
}

impl Expr {
    fn is_secret(&self) -> bool {
        match self {
            Self::Path(path) => path.root == "credentials" || path.root == "signature",
            Self::Literal(_) => false,
            Self::Call(call) => {
                call.args.iter().any(Self::is_secret)
                    || call.named.iter().any(|(_, expr)| expr.is_secret())
            }
        }
    }
}

/// `helper arg arg name=arg`
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which helper; a name of the list in `template/functions`.
    pub helper: &'static str,
    /// Positional arguments.
    pub args: Vec<Expr>,
    /// Named arguments.
    pub named: Vec<(String, Expr)>,
}

/// `root.segment.segment`
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The first name: `input`, `steps`, `body` … or an `as` name.
    pub root: String,
    /// What follows. A number addresses a list element or a member of that name.
    pub segments: Vec<String>,
    /// Byte offset of the path within the source, for messages.
    pub offset: usize,
}

impl Path {
    /// The root and what follows.
    pub fn names(&self) -> Vec<&str> {
        std::iter::once(&self.root).chain(&self.segments).map(String::as_str).collect()
    }
}

/// Any JSON in which strings may be templates: the *value* of the formats.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// No template inside.
    Literal(Value),
    /// A string with at least one expression.
    Template(Template),
    /// An object with at least one template inside; members whose value is absent are left out.
    Object(Vec<(String, Self)>),
    /// A list with at least one template inside; absent elements are left out.
    List(Vec<Self>),
    /// `{$map: list, as: name, where?: bool, to: value}`
    Map(Box<MapShape>),
}

impl Shape {
    /// Whether any template in it is secret: see [`Template::is_secret`].
    pub fn is_secret(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Template(template) => template.is_secret(),
            Self::Object(members) => members.iter().any(|(_, shape)| shape.is_secret()),
            Self::List(elements) => elements.iter().any(Self::is_secret),
            Self::Map(map) => {
                map.list.is_secret()
                    || map.filter.as_ref().is_some_and(Template::is_secret)
                    || map.to.is_secret()
            }
        }
    }
}

/// `{$map: list, as: name, where?: bool, to: value}`
#[derive(Debug, Clone, PartialEq)]
pub struct MapShape {
    /// The list to go through.
    pub list: Template,
    /// The name of the current element inside `filter` and `to`.
    pub name: String,
    /// `where`: only elements for which this is true.
    pub filter: Option<Template>,
    /// What becomes of each element.
    pub to: Shape,
}
