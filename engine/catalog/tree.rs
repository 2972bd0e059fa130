//! A file as a tree of values that know where they stand.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use serde_json::{Map, Number, Value};

use crate::diagnostic::Place;

/// A value and its place.
#[derive(Clone)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands; for a list or an object in block style, the key above it.
    pub place: Place,
    /// Where the value came from, if not from the file alone. Such a value may be a secret.
    pub origin: Option<Arc<Origin>>,
}

/// What a value can be: the JSON kinds.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `null`, `~` or nothing
    Null,
    /// `true` or `false`
    Bool(bool),
    /// With its digits as written.
    Number(Number),
    /// Any other scalar.
    String(Arc<str>),
    /// In order.
    List(Vec<Arc<Node>>),
    /// In the order of the file; no key stands twice.
    Map(Vec<(Key, Arc<Node>)>),
}

/// The key of an entry.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its text.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Place,
}

/// How a text was put together from `${…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// As it stands in the file, with `${VAR}` in place of the value: this may be shown.
    pub written: Arc<str>,
    /// What was named, in order.
    pub sources: Vec<Source>,
    /// The bytes of the text that were inserted. Nothing in them is a template.
    pub inserted: Vec<Range<usize>>,
}

/// What `${…}` named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The variable of this name.
    Variable(String),
    /// The default of this variable, which is not set.
    Default(String),
    /// The file of this path.
    File(String),
    /// This variable or file (`file:path`), which is missing; `${…}` was left standing.
    Missing(String),
}

impl Node {
    /// The value of an entry; `None` if there is none, or if this is not an object.
    pub fn get(&self, name: &str) -> Option<&Arc<Self>> {
        self.entries().iter().find(|(key, _)| &*key.name == name).map(|(_, node)| node)
    }

    /// The entries; none if this is not an object.
    pub fn entries(&self) -> &[(Key, Arc<Self>)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::List(_) => &[],
        }
    }

    /// The same object without some of its keys.
    pub fn without(&self, keys: &[&str]) -> Arc<Self> {
        self.filtered(|key| !keys.contains(&key))
    }

    /// The same object with those keys that `keep` says.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Arc<Self> {
        let entries = self.entries().iter().filter(|(key, _)| keep(&key.name)).cloned().collect();
        let kind = Kind::Map(entries);
        Arc::new(Self { kind, place: self.place.clone(), origin: self.origin.clone() })
    }

    /// The elements; none if this is not a list.
    pub fn items(&self) -> &[Arc<Self>] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Map(_) => &[],
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The text as a template may read it: `{{` that came out of `${…}` is escaped, because
    /// a value of the environment is never scanned.
    pub fn template_text(&self) -> Option<Cow<'_, str>> {
        let text = self.as_str()?;
        let Some(origin) = self.origin.as_ref().filter(|_| text.contains("{{")) else {
            return Some(Cow::Borrowed(text));
        };
        let mut escaped = String::with_capacity(text.len() + 8);
        for (at, c) in text.char_indices() {
            let braces = text.get(at..).is_some_and(|rest| rest.starts_with("{{"));
            if braces && origin.inserted.iter().any(|range| range.contains(&at)) {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        Some(Cow::Owned(escaped))
    }

    /// The value as JSON, `${…}` replaced: it may hold secrets.
    pub fn to_json(&self) -> Value {
        self.json(&|text, _| Value::from(text))
    }

    /// The value as JSON for people to see: `${VAR}` as written in place of what it stands for.
    pub fn to_shown_json(&self) -> Value {
        self.json(&|text, origin| Value::from(origin.map_or(text, |origin| &*origin.written)))
    }

    fn json(&self, text_of: &impl Fn(&str, Option<&Origin>) -> Value) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::String(text) => text_of(text, self.origin.as_deref()),
            Kind::List(items) => items.iter().map(|item| item.json(text_of)).collect(),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (String::from(&*key.name), node.json(text_of)))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// What it is, for a sentence: `a list`, `the number 5`, ``the text `x` ``. A value that came
    /// from the environment is never named.
    pub fn describe(&self) -> String {
        if let Some(origin) = &self.origin {
            return format!("the value of `{}`", cut(&origin.written));
        }
        match &self.kind {
            Kind::Null => "nothing (null)".to_owned(),
            Kind::Bool(b) => format!("`{b}`"),
            Kind::Number(number) => format!("the number `{number}`"),
            Kind::String(text) if text.is_empty() => "an empty text".to_owned(),
            Kind::String(text) => format!("the text `{}`", cut(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "an object".to_owned(),
        }
    }

    /// The place of some bytes of a text: exact if they stand so in the file, else all of it.
    pub fn place_within(&self, offset: usize, len: usize) -> Place {
        self.within(offset, len).map_or_else(
            || self.place.clone(),
            |start| Place { file: Arc::clone(&self.place.file), span: start..start + len },
        )
    }

    /// Where those bytes begin in the file.
    fn within(&self, offset: usize, len: usize) -> Option<usize> {
        let (text, source) = (self.as_str()?, self.place.text());
        if self.origin.is_some() {
            return None;
        }
        let part = text.get(offset..offset.checked_add(len)?)?;
        let quote = usize::from(source.starts_with(['"', '\'']));
        let verbatim = source.get(quote..source.len().checked_sub(quote)?)?;
        if verbatim == text {
            return Some(self.place.span.start + quote + offset);
        }
        // Folded, indented or escaped: still exact if the part is not ambiguous.
        let mut found = source.match_indices(part).map(|(at, _)| self.place.span.start + at);
        let first = found.next().filter(|_| !part.is_empty());
        first.filter(|_| found.next().is_none())
    }
}

/// A value that may be a secret does not show, as deep as it may stand.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{:?} at {:?}", origin.written, self.place),
            None => write!(f, "{:?} at {:?}", self.kind, self.place),
        }
    }
}

/// Enough of a text to recognise it, on one line.
fn cut(text: &str) -> Cow<'_, str> {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(40) {
        Some((end, _)) => Cow::Owned(format!("{}…", line.get(..end).unwrap_or_default())),
        None if line.len() < text.trim_end().len() => Cow::Owned(format!("{line}…")),
        None => Cow::Borrowed(line),
    }
}
