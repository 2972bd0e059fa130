//! YAML text → tree, in one pass over the events of the parser beneath `serde_yaml`: every node
//! with its place, every fault in our words. YAML 1.2 core schema, and less: no tags of one's
//! own, no merge keys, one document.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag, options};

use crate::{
    catalog::{
        scalar, syntax,
        tree::{Key, Kind, Node},
    },
    diagnostic::{Diagnostic, Diagnostics, Place, Severity, SourceFile},
};

/// Largest file that is read, in bytes.
pub const MAX_FILE: usize = 4 * 1024 * 1024;
/// Deepest nesting of lists and objects, so that everything that walks a tree may recurse.
pub const MAX_DEPTH: usize = 32;
/// Most nodes of a tree, every use of an alias counted in full.
const MAX_NODES: usize = 100_000;
/// An object with more keys than this looks for duplicates by hash.
const SMALL: usize = 16;

/// Checks that bytes are a text we read, and drops a byte order mark.
pub fn source(name: String, bytes: Vec<u8>) -> Result<Arc<SourceFile>, Diagnostics> {
    if bytes.len() > MAX_FILE {
        let message = format!("`{name}` is larger than {} MB", MAX_FILE / 1024 / 1024);
        return Err(whole("file.too-large", message, "split it into several files"));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = before.filter(|&&b| b == b'\n').count() + 1;
        let message = format!("`{name}` is not UTF-8 text, from line {line} on");
        whole("file.not-text", message, "save it with the encoding UTF-8")
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    if let Some(at) = text.find('\0') {
        let line = text.bytes().take(at).filter(|&b| b == b'\n').count() + 1;
        let message = format!("`{name}` has a NUL character in line {line}");
        return Err(whole(
            "file.not-text",
            message,
            "remove it, or save it with the encoding UTF-8",
        ));
    }
    Ok(Arc::new(SourceFile { name, text }))
}

/// Reads a file. Stops at the first fault: after it, the structure would be a guess.
/// A file without a value is an empty object.
pub fn parse(file: &Arc<SourceFile>) -> Result<Arc<Node>, Diagnostics> {
    let limit = 2 * MAX_DEPTH; // Ours comes first, and has the better words.
    let mut options = options! { block_nesting_limit: limit, flow_nesting_limit: limit };
    options.set_emit_comments(false);
    let mut reader =
        Reader { file, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    for event in Parser::new_from_str_with_options(&file.text, options) {
        event
            .map_err(|error| syntax::explain(file, &error))
            .and_then(|(event, span)| reader.take(event, &span))
            .map_err(Diagnostics::from)?;
    }
    let root = reader.root.filter(|root| !root.is_null());
    Ok(root.unwrap_or_else(|| {
        let place = Place { file: Arc::clone(file), span: 0..0 };
        Arc::new(Node { kind: Kind::Map(Vec::new()), place, origin: None })
    }))
}

fn whole(code: &'static str, message: String, hint: &str) -> Diagnostics {
    let hint = Some(hint.to_owned());
    Diagnostic { code, severity: Severity::Error, message, place: None, hint }.into()
}

/// The state between two events.
struct Reader<'f> {
    file: &'f Arc<SourceFile>,
    /// Lists and objects that are not yet closed, outermost first.
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    /// How many nodes there are so far.
    nodes: usize,
    root: Option<Arc<Node>>,
}

/// A list or an object whose end has not come yet.
struct Open {
    kind: OpenKind,
    /// Of the first bracket; `None` in block style.
    flow: Option<usize>,
    anchor: usize,
    /// `Reader::nodes` at its beginning.
    nodes_before: usize,
    /// How many levels there are within it, so far.
    height: usize,
}

enum OpenKind {
    List(Vec<Arc<Node>>),
    Map { entries: Vec<(Key, Arc<Node>)>, key: Option<Key>, seen: HashSet<Arc<str>> },
}

/// What an alias may name.
struct Anchored {
    node: Arc<Node>,
    nodes: usize,
    height: usize,
}

impl Reader<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "events without a value; none of our own")]
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Diagnostic> {
        let span = span.byte_range().unwrap_or_default();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.at_key() {
                    refuse_tag(tag.as_deref(), &self.place(span.clone()))?;
                    return self.key(&text, style, span);
                }
                let kind = self.scalar((&text, style), tag.as_deref(), &span)?;
                self.value(kind, span, &Weight { anchor, nodes: 1, height: 0 })
            }
            Event::SequenceStart(style, anchor, tag) => {
                refuse_tag(
                    tag.as_deref().filter(|t| t.core_suffix() != Some("seq")),
                    &self.place(span.clone()),
                )?;
                self.begin(OpenKind::List(Vec::new()), style, (anchor, span))
            }
            Event::MappingStart(style, anchor, tag) => {
                refuse_tag(
                    tag.as_deref().filter(|t| t.core_suffix() != Some("map")),
                    &self.place(span.clone()),
                )?;
                let kind = OpenKind::Map { entries: Vec::new(), key: None, seen: HashSet::new() };
                self.begin(kind, style, (anchor, span))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            Event::Alias(id) => self.alias(id, span),
            Event::DocumentStart(..) if self.root.is_some() => Err(self.fault(
                span,
                "a second document begins here; a file holds one".to_owned(),
                Some("remove the `---`, or split the file"),
            )),
            _ => Ok(()),
        }
    }

    /// Whether the next node is a key.
    fn at_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: OpenKind::Map { key: None, .. }, .. }))
    }

    fn key(
        &mut self,
        text: &str,
        style: ScalarStyle,
        span: Range<usize>,
    ) -> Result<(), Diagnostic> {
        let plain = style == ScalarStyle::Plain;
        if plain && text == "<<" {
            let hint = "use `extends_blueprint`, or write the entries out";
            return Err(self.fault(
                span,
                "merge keys (`<<`) are not supported".to_owned(),
                Some(hint),
            ));
        }
        if plain && span.is_empty() {
            return Err(self.fault(span, "a key is missing before the `:`".to_owned(), None));
        }
        let place = self.place(span);
        let Some(Open { kind: OpenKind::Map { entries, key, seen }, .. }) = self.open.last_mut()
        else {
            return Ok(());
        };
        let name: Arc<str> = text.into();
        let twice = if entries.len() < SMALL {
            entries.iter().any(|(other, _)| other.name == name)
        } else {
            if seen.is_empty() {
                seen.extend(entries.iter().map(|(other, _)| Arc::clone(&other.name)));
            }
            !seen.insert(Arc::clone(&name))
        };
        if twice {
            let first = entries.iter().find(|(other, _)| other.name == name);
            let line = first.map_or(0, |(other, _)| other.place.start().line);
            return Err(Diagnostic {
                code: "file.duplicate-key",
                severity: Severity::Error,
                message: format!("the key `{name}` stands here a second time"),
                place: Some(place),
                hint: Some(format!("the first is in line {line}; keep one of them")),
            });
        }
        *key = Some(Key { name, place });
        Ok(())
    }

    fn scalar(
        &self,
        (text, style): (&str, ScalarStyle),
        tag: Option<&Tag>,
        span: &Range<usize>,
    ) -> Result<Kind, Diagnostic> {
        if tag.and_then(Tag::core_suffix) == Some("str") {
            return Ok(Kind::String(text.into()));
        }
        refuse_tag(tag, &self.place(span.clone()))?;
        match style {
            ScalarStyle::Plain => scalar::plain(text).map_err(|scalar::NotFinite| {
                let message = format!("`{text}` is not a number that JSON has");
                self.fault(span.clone(), message, Some("if it is a text, quote it"))
            }),
            ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Literal
            | ScalarStyle::Folded => Ok(Kind::String(text.into())),
        }
    }

    fn begin(
        &mut self,
        kind: OpenKind,
        style: StructureStyle,
        (anchor, span): (usize, Range<usize>),
    ) -> Result<(), Diagnostic> {
        let flow = (style == StructureStyle::Flow).then_some(span.start);
        if self.at_key() {
            let outer = self.open.last().and_then(|open| open.flow);
            return Err(match outer {
                Some(outer) if flow.is_some() && outer + 1 == span.start => {
                    syntax::unquoted_template(self.file, outer)
                }
                _ => self.fault(
                    span,
                    "a key must be a text, not a list or an object".to_owned(),
                    None,
                ),
            });
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        let open = Open { kind, flow, anchor, nodes_before: self.nodes, height: 0 };
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self, span: &Range<usize>) -> Result<(), Diagnostic> {
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

    fn alias(&mut self, id: usize, span: Range<usize>) -> Result<(), Diagnostic> {
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
            OpenKind::Map { entries, key, .. } => entries.extend(key.take().map(|key| (key, node))),
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

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: Arc::clone(self.file), span }
    }

    fn too_deep(&self, span: Range<usize>) -> Diagnostic {
        let message = format!("lists and objects are nested more than {MAX_DEPTH} deep");
        self.fault(span, message, None)
    }

    fn fault(&self, span: Range<usize>, message: String, hint: Option<&str>) -> Diagnostic {
        Diagnostic {
            code: "file.syntax",
            severity: Severity::Error,
            message,
            place: Some(self.place(span)),
            hint: hint.map(str::to_owned),
        }
    }
}

/// What else is known of a value: its anchor (0 for none), its nodes and its levels.
struct Weight {
    anchor: usize,
    nodes: usize,
    height: usize,
}

fn refuse_tag(tag: Option<&Tag>, place: &Place) -> Result<(), Diagnostic> {
    let Some(tag) = tag else { return Ok(()) };
    Err(Diagnostic {
        code: "file.tag",
        severity: Severity::Error,
        message: format!("the tag `{}` is not supported", tag.original()),
        place: Some(place.clone()),
        hint: Some("write the plain value; if it is a text, quote it".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: "t.yaml".into(), text: text.into() })
    }

    fn read(text: &str) -> Arc<Node> {
        parse(&file(text)).unwrap_or_else(|d| panic!("{text:?}: {d:?}"))
    }

    fn json(text: &str) -> String {
        read(text).to_json().to_string()
    }

    /// `line:column code message`
    fn fault(text: &str) -> String {
        let found = parse(&file(text)).err().unwrap_or_else(|| panic!("{text:?} was read"));
        let [Diagnostic { code, message, place: Some(place), .. }] = found.list.as_slice() else {
            panic!("{found:?}")
        };
        let at = place.start();
        format!("{}:{} {code} {message}", at.line, at.column)
    }

    #[test]
    fn values() {
        for (text, expected) in [
            ("", "{}"),
            ("# only words\n", "{}"),
            ("---\n", "{}"),
            ("---\na: 1\n...\n", r#"{"a":1}"#),
            (
                "a: no\nb: 0755\nc: 1_000\nd: true\ne: ~\nf:\n",
                r#"{"a":"no","b":"0755","c":"1_000","d":true,"e":null,"f":null}"#,
            ),
            ("a: 1.10\nb: 18446744073709551616\n", r#"{"a":1.10,"b":18446744073709551616}"#),
            ("a: '{{x}}'\nb: /x/{{y}}\n", r#"{"a":"{{x}}","b":"/x/{{y}}"}"#),
            ("200: x\ntrue: y\n'': z", r#"{"200":"x","true":"y","":"z"}"#),
            ("a: &x [1, {b: 2}]\nc: *x\n", r#"{"a":[1,{"b":2}],"c":[1,{"b":2}]}"#),
            ("a: |\n  one\n  two\nb: >-\n  one\n  two\n", r#"{"a":"one\ntwo\n","b":"one two"}"#),
            ("a: !!str 5\n", r#"{"a":"5"}"#),
            ("- a: 1\n  b: 2\n-\n", r#"[{"a":1,"b":2},null]"#),
            ("    indented:\n        x: 1\n", r#"{"indented":{"x":1}}"#),
            ("a: 1\r\nb: 2\r\n", r#"{"a":1,"b":2}"#),
        ] {
            assert_eq!(json(text), expected, "{text:?}");
        }
    }

    #[test]
    fn places() {
        let text = "name: é\nlist:\n  - 'it {{x}} it'\n  - {a: 1}\nblock:\n  deep: \"x\"\nnone:\n";
        let tree = read(text);
        let at = |node: &Node| (node.place.to_string(), node.place.text().to_owned());
        let expect = |place: &str, text: &str| (format!("t.yaml:{place}"), text.to_owned());
        assert_eq!(at(tree.get("name").unwrap()), expect("1:7", "é"));
        assert_eq!(at(tree.get("list").unwrap()), expect("2:1", "list"));
        let items = tree.get("list").unwrap().items();
        assert_eq!(at(&items[0]), expect("3:5", "'it {{x}} it'"));
        assert_eq!(items[0].place_within(3, 5).text(), "{{x}}");
        assert_eq!(items[0].place_within(3, 5).to_string(), "t.yaml:3:9");
        assert_eq!(at(&items[1]), expect("4:5", "{a: 1}"));
        assert_eq!(at(tree.get("block").unwrap().get("deep").unwrap()), expect("6:9", "\"x\""));
        assert_eq!(at(tree.get("none").unwrap()), expect("7:1", "none"));
        assert_eq!(at(&tree), expect("1:1", "name"));
    }

    #[test]
    fn a_place_within_a_text_of_several_lines() {
        let tree = read("a: |\n  one {{x}}\n  two {{y}}\nb: \"a\\tb {{z}}\"\nc: plain {{w}}\n");
        for (key, part) in [("a", "{{x}}"), ("a", "{{y}}"), ("b", "{{z}}"), ("c", "{{w}}")] {
            let node = tree.get(key).unwrap();
            let offset = node.as_str().unwrap().find(part).unwrap();
            assert_eq!(node.place_within(offset, part.len()).text(), part);
        }
        let twice = read("a: |\n  {{x}}\n  {{x}}\n");
        let whole = twice.get("a").unwrap();
        assert_eq!(whole.place_within(0, 5), whole.place);
    }

    #[test]
    fn faults() {
        let cases = [
            ("a: 1\nb: 2\na: 3\n", "3:1 file.duplicate-key the key `a` stands here a second time"),
            (
                "x:\n  a: {{input.y}}\n",
                "2:6 file.unquoted-template the template `{{input.y}}` is not quoted",
            ),
            ("a:\n  - {{x}}\n", "2:5 file.unquoted-template the template `{{x}}` is not quoted"),
            ("a: {{x}}/b\n", "1:4 file.unquoted-template the template `{{x}}` is not quoted"),
            (
                "a: {{eq x 'y'}}\nb: 1\n",
                "1:4 file.unquoted-template the template `{{eq x 'y'}}` is not quoted",
            ),
            ("a:\n\tb: 1\n", "2:1 file.syntax a tab stands where YAML allows only spaces"),
            ("a: [1, 2\n", "1:4 file.syntax `[` is never closed"),
            ("a: {b: 1\nc: 2\n", "2:2 file.syntax expected `,` or `}` in an object in braces"),
            ("a: 'x\n", "1:4 file.syntax a quoted text is never closed"),
            ("a: 'x' y\n", "1:8 file.syntax something follows the closing quote"),
            ("a: \"\\d\"\n", "1:4 file.syntax an unknown escape in a text in double quotes"),
            ("a: @x\n", "1:4 file.syntax a text cannot begin with `@`"),
            ("a: *x\n", "1:4 file.syntax this refers to an anchor that does not exist"),
            ("a: b: c\n", "1:5 file.syntax a `:` where no key can end"),
            ("a: 1\nb\n", "2:1 file.syntax expected `key: value`"),
            ("a: &x\n  b: *x\n", "2:6 file.syntax this refers to what it stands in"),
            ("a: &x {b: 1}\nc:\n  <<: *x\n", "3:3 file.syntax merge keys (`<<`) are not supported"),
            ("a: !secret x\n", "1:12 file.tag the tag `!secret` is not supported"),
            ("a: !!binary x\n", "1:13 file.tag the tag `!!binary` is not supported"),
            (
                "a: 1\n---\nb: 2\n",
                "2:1 file.syntax a second document begins here; a file holds one",
            ),
            ("a: .inf\n", "1:4 file.syntax `.inf` is not a number that JSON has"),
            ("? [a]\n: 1\n", "1:3 file.syntax a key must be a text, not a list or an object"),
            (": 1\n", "1:1 file.syntax a key is missing before the `:`"),
            ("a: ]\n", "1:4 file.syntax a closing bracket without an opening one"),
            ("a: [1}\n", "1:4 file.syntax `[` is closed by `}`"),
        ];
        let wrong: Vec<String> = cases
            .iter()
            .map(|(text, expected)| (fault(text), text, expected))
            .filter(|(found, _, expected)| found != *expected)
            .map(|(found, text, expected)| format!("{text:?}\n  found {found}\n  not   {expected}"))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn many_keys_are_compared_too() {
        let mut text: String = (0..40).map(|i| format!("k{i}: {i}\n")).collect();
        assert_eq!(read(&text).entries().len(), 40);
        text.push_str("k20: again\n");
        assert!(fault(&text).contains("`k20` stands here a second time"));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let before = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert!(fault(&text).contains("more than 100000 values"), "{}", fault(&text));
        let mut deep = String::from("a0: &a0 [x]\n");
        for level in 1..40 {
            deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(fault(&deep).contains("nested more than 32 deep"));
    }

    /// Test threads have the stack of 2 MiB that the workers have.
    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{}x{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(json(&nested(32)), nested(32).replace('x', "\"x\""));
        for text in [nested(33), nested(100_000), "- ".repeat(5000), "a: ".to_owned() + &nested(32)]
        {
            assert!(fault(&text).contains("deep"), "{}", fault(&text));
        }
    }

    #[test]
    fn bytes_that_are_not_our_text() {
        let name = || "x.yaml".to_owned();
        let message =
            |bytes: &[u8]| source(name(), bytes.to_vec()).unwrap_err().list[0].message.clone();
        assert_eq!(message(b"a: 1\n\xff\xfe"), "`x.yaml` is not UTF-8 text, from line 2 on");
        assert_eq!(message(b"a: \0"), "`x.yaml` has a NUL character in line 1");
        assert_eq!(message(&vec![b' '; MAX_FILE + 1]), "`x.yaml` is larger than 4 MB");
        assert_eq!(source(name(), b"\xef\xbb\xbfa: 1".to_vec()).unwrap().text, "a: 1");
    }
}
