//! What a reader of YAML finds, one thing after the other → a tree. Here are the rules that hold
//! beyond the syntax: no key twice, no merge keys, no tags of one's own, and the limits.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use crate::{
    catalog::{
        scalar, syntax,
        tree::{Key, Kind, Node},
    },
    diagnostic::{Diagnostic, Diagnostics, Place, Severity, SourceFile},
};

/// Deepest nesting of lists and objects, so that everything that walks a tree may recurse.
pub const MAX_DEPTH: usize = 32;
/// Most nodes of a tree, every use of an alias counted in full.
const MAX_NODES: usize = 100_000;
/// An object with more keys than this looks for duplicates by hash.
const SMALL: usize = 16;

/// A list or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// `[…]`, `- …`
    List,
    /// `{…}`, `key: …`
    Map,
}

/// A file that could be read.
#[derive(Debug)]
pub struct Parsed {
    /// Its tree.
    pub tree: Arc<Node>,
    /// Faults that leave the rest of it standing.
    pub found: Diagnostics,
}

/// A tree on its way.
pub struct Builder<'f> {
    file: &'f Arc<SourceFile>,
    /// Lists and objects that are not yet closed, outermost first.
    open: Vec<Open>,
    /// By their number, which is not 0.
    anchors: HashMap<usize, Anchored>,
    /// How many nodes there are so far.
    nodes: usize,
    root: Option<Arc<Node>>,
    found: Diagnostics,
}

/// A list or an object whose end has not come yet.
struct Open {
    kind: OpenKind,
    /// Of the first bracket; `None` in block style.
    flow: Option<usize>,
    anchor: usize,
    /// `Builder::nodes` at its beginning.
    nodes_before: usize,
    /// How many levels there are within it, so far.
    height: usize,
}

enum OpenKind {
    List(Vec<Arc<Node>>),
    Map {
        entries: Vec<(Key, Arc<Node>)>,
        key: Option<Key>,
        /// Whether the value that comes next is left out, because its key was refused.
        dropped: bool,
        seen: Option<HashSet<Arc<str>>>,
    },
}

/// What an alias may name.
struct Anchored {
    node: Arc<Node>,
    nodes: usize,
    height: usize,
}

/// What else is known of a value: its anchor (0 for none), its nodes and its levels.
struct Weight {
    anchor: usize,
    nodes: usize,
    height: usize,
}

impl<'f> Builder<'f> {
    /// The beginning of a file.
    pub fn new(file: &'f Arc<SourceFile>) -> Self {
        Self {
            file,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
            found: Diagnostics::default(),
        }
    }

    /// Whether there is a value already, so that the next one would be a second document.
    pub fn is_done(&self) -> bool {
        self.root.is_some()
    }

    /// What was read. A file without a value is an empty object.
    pub fn finish(self) -> Parsed {
        let root = self.root.filter(|root| !root.is_null());
        let tree = root.unwrap_or_else(|| {
            let place = Place { file: Arc::clone(self.file), span: 0..0 };
            Arc::new(Node { kind: Kind::Map(Vec::new()), place, origin: None })
        });
        Parsed { tree, found: self.found }
    }

    /// Reports a fault that leaves the structure of the file as it is.
    pub fn report(&mut self, fault: Diagnostic) {
        self.found.push(fault);
    }

    /// Whether what comes next is a key.
    pub fn at_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: OpenKind::Map { key: None, .. }, .. }))
    }

    /// A key, where one comes next; `plain` if it stands without quotes. One that is refused is
    /// reported, and left out with its value.
    pub fn key(&mut self, text: &str, plain: bool, span: Range<usize>) -> Result<(), Diagnostic> {
        if plain && span.is_empty() {
            return Err(self.fault(span, "a key is missing before the `:`".to_owned(), None));
        }
        let merges = plain && text == "<<";
        let refused = merges.then(|| {
            let hint = "use `extends_blueprint`, or write the entries out";
            let message = "merge keys (`<<`) are not supported".to_owned();
            self.fault(span.clone(), message, Some(hint))
        });
        let place = self.place(span);
        let Some(Open { kind: OpenKind::Map { entries, key, dropped, seen }, .. }) =
            self.open.last_mut()
        else {
            return Ok(());
        };
        let name: Arc<str> = text.into();
        let twice = if entries.len() < SMALL {
            entries.iter().any(|(other, _)| other.name == name)
        } else {
            let names = || entries.iter().map(|(other, _)| Arc::clone(&other.name)).collect();
            !seen.get_or_insert_with(names).insert(Arc::clone(&name))
        };
        let refused = refused.or_else(|| {
            twice.then(|| {
                // To find the first one is to look at all of them.
                let first = if self.found.is_full(Severity::Error) {
                    None
                } else {
                    entries.iter().find(|(other, _)| other.name == name)
                };
                let line = first.map(|(other, _)| other.place.start().line);
                Diagnostic {
                    code: "file.duplicate-key",
                    severity: Severity::Error,
                    message: format!("the key `{name}` stands here a second time"),
                    place: Some(place.clone()),
                    hint: line.map(|line| format!("the first is in line {line}; keep one of them")),
                }
            })
        });
        *dropped = refused.is_some();
        *key = Some(Key { name, place });
        if let Some(fault) = refused {
            self.found.push(fault);
        }
        Ok(())
    }

    /// A text, or what it means if it is plain: without quotes, and no block of lines.
    pub fn scalar(
        &mut self,
        (text, plain): (&str, bool),
        (anchor, span): (usize, Range<usize>),
    ) -> Result<(), Diagnostic> {
        let kind = if plain {
            scalar::plain(text).map_err(|scalar::NotFinite| {
                let message = format!("`{text}` is not a number that JSON has");
                self.fault(span.clone(), message, Some("if it is a text, quote it"))
            })?
        } else {
            Kind::String(text.into())
        };
        self.value(kind, span, &Weight { anchor, nodes: 1, height: 0 })
    }

    /// A list or an object begins; `flow` if with a bracket, which stands at `span`.
    pub fn begin(
        &mut self,
        structure: Structure,
        flow: bool,
        (anchor, span): (usize, Range<usize>),
    ) -> Result<(), Diagnostic> {
        let flow = flow.then_some(span.start);
        if self.at_key() {
            let outer = self.open.last().and_then(|open| open.flow);
            return Err(match outer {
                Some(outer) if flow.is_some() && outer + 1 == span.start => {
                    syntax::unquoted_template(self.file, outer)
                }
                _ => {
                    let message = "a key must be a text, not a list or an object".to_owned();
                    self.fault(span, message, None)
                }
            });
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        let kind = match structure {
            Structure::List => OpenKind::List(Vec::new()),
            Structure::Map => {
                OpenKind::Map { entries: Vec::new(), key: None, dropped: false, seen: None }
            }
        };
        let open = Open { kind, flow, anchor, nodes_before: self.nodes, height: 0 };
        self.open.push(open);
        Ok(())
    }

    /// The list or object ends that began last.
    pub fn end(&mut self, span: &Range<usize>) -> Result<(), Diagnostic> {
        let Some(Open { kind, flow, anchor, nodes_before, height }) = self.open.pop() else {
            return Ok(());
        };
        let (kind, first) = match kind {
            OpenKind::List(items) => {
                let first = items.first().map(|item| item.place.span.clone());
                (Kind::List(items), first)
            }
            OpenKind::Map { entries, .. } => {
                let first = entries.first().map(|(key, _)| key.place.span.clone());
                (Kind::Map(entries), first)
            }
        };
        let span = match (flow, self.waiting_key(), first) {
            (Some(start), _, _) => start..span.end,
            (None, Some(key), _) => key,
            (None, None, Some(first)) => first,
            (None, None, None) => span.clone(),
        };
        let nodes = self.nodes - nodes_before + 1;
        // Its children are counted already; the limit has been checked with each.
        self.value(kind, span, &Weight { anchor, nodes, height: height + 1 })
    }

    /// A value that stands elsewhere in the file, by the number of its anchor.
    pub fn alias(&mut self, id: usize, span: Range<usize>) -> Result<(), Diagnostic> {
        if self.at_key() {
            return Err(self.fault(span, "a key must be a text, not an alias".to_owned(), None));
        }
        let Some(Anchored { node, nodes, height }) = self.anchors.get(&id) else {
            return Err(self.fault(span, "this refers to what it stands in".to_owned(), None));
        };
        let (node, nodes, height) = (Arc::clone(node), *nodes, *height);
        if self.open.len() + height > MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        self.nodes += nodes - 1;
        self.attach(node, &span, height)
    }

    /// A finished value.
    fn value(&mut self, kind: Kind, span: Range<usize>, weight: &Weight) -> Result<(), Diagnostic> {
        // What is not written (`key:`) stands at its key.
        let span = if span.is_empty() { self.waiting_key().unwrap_or(span) } else { span };
        let &Weight { anchor, nodes, height } = weight;
        let node = Arc::new(Node { kind, place: self.place(span.clone()), origin: None });
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: Arc::clone(&node), nodes, height });
        }
        self.attach(node, &span, height)
    }

    /// Puts a value where it belongs. `height` is how many levels of lists and objects it has.
    fn attach(
        &mut self,
        node: Arc<Node>,
        span: &Range<usize>,
        height: usize,
    ) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, aliases counted in full");
            return Err(self.fault(span.clone(), message, Some("split the file")));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.height = open.height.max(height);
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map { entries, key, dropped, .. } => {
                let key = key.take().filter(|_| !*dropped);
                entries.extend(key.map(|key| (key, node)));
            }
        }
        Ok(())
    }

    /// Where the key stands whose value comes next.
    fn waiting_key(&self) -> Option<Range<usize>> {
        match &self.open.last()?.kind {
            OpenKind::Map { key, .. } => key.as_ref().map(|key| key.place.span.clone()),
            OpenKind::List(_) => None,
        }
    }

    /// A place of this file.
    pub fn place(&self, span: Range<usize>) -> Place {
        Place { file: Arc::clone(self.file), span }
    }

    fn too_deep(&self, span: Range<usize>) -> Diagnostic {
        let message = format!("lists and objects are nested more than {MAX_DEPTH} deep");
        self.fault(span, message, None)
    }

    /// A fault of syntax at a place.
    pub fn fault(&self, span: Range<usize>, message: String, hint: Option<&str>) -> Diagnostic {
        Diagnostic {
            code: "file.syntax",
            severity: Severity::Error,
            message,
            place: Some(self.place(span)),
            hint: hint.map(str::to_owned),
        }
    }
}
