//! YAML text → tree: every node with its place, every fault in our words. YAML 1.2 core schema,
//! and less: no tags of one's own, no merge keys, one document.
//!
//! Ordinary files are read by ourselves; what is not ordinary, or not right, is read by the parser
//! beneath `serde_yaml`. Both give the same tree for what both can read.

use std::{ops::Range, sync::Arc};

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag, options};

use crate::{
    catalog::{
        builder::{Builder, MAX_DEPTH, Structure},
        ordinary, syntax,
    },
    diagnostic::{Diagnostic, Diagnostics, Severity, SourceFile},
};

pub use crate::catalog::builder::Parsed;

/// Largest file that is read, in bytes.
pub const MAX_FILE: usize = 4 * 1024 * 1024;

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

/// Reads a file. Stops at the first fault after which the structure would be a guess.
/// A file without a value is an empty object.
pub fn parse(file: &Arc<SourceFile>) -> Result<Parsed, Diagnostics> {
    match ordinary::read(file) {
        Some(tree) => Ok(Parsed { tree, found: Diagnostics::default() }),
        None => thorough(file),
    }
}

/// The same by the whole parser alone: all of YAML that there is, and words for what is none.
pub fn thorough(file: &Arc<SourceFile>) -> Result<Parsed, Diagnostics> {
    let limit = 2 * MAX_DEPTH; // Ours comes first, and has the better words.
    let mut options = options! { block_nesting_limit: limit, flow_nesting_limit: limit };
    options.set_emit_comments(false);
    let mut builder = Builder::new(file);
    for event in Parser::new_from_str_with_options(&file.text, options) {
        let taken = event
            .map_err(|error| syntax::explain(file, &error))
            .and_then(|(event, span)| take(&mut builder, event, &span));
        if let Err(fault) = taken {
            builder.report(fault);
            return Err(builder.finish().found);
        }
    }
    Ok(builder.finish())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "events without a value; none of our own")]
fn take(builder: &mut Builder<'_>, event: Event<'_>, span: &Span) -> Result<(), Diagnostic> {
    let span = span.byte_range().unwrap_or_default();
    match event {
        Event::Scalar(text, style, anchor, tag) => {
            let plain = style == ScalarStyle::Plain;
            let tag = tag.as_deref();
            if builder.at_key() {
                refuse_tag(tag, "", builder, &span);
                return builder.key(&text, plain, span);
            }
            refuse_tag(tag, "str", builder, &span);
            builder.scalar((&text, plain && tag.is_none()), (anchor, span))
        }
        Event::SequenceStart(style, anchor, tag) => {
            refuse_tag(tag.as_deref(), "seq", builder, &span);
            builder.begin(Structure::List, style == StructureStyle::Flow, (anchor, span))
        }
        Event::MappingStart(style, anchor, tag) => {
            refuse_tag(tag.as_deref(), "map", builder, &span);
            builder.begin(Structure::Map, style == StructureStyle::Flow, (anchor, span))
        }
        Event::SequenceEnd | Event::MappingEnd => builder.end(&span),
        Event::Alias(id) => builder.alias(id, span),
        Event::DocumentStart(..) if builder.is_done() => Err(builder.fault(
            span,
            "a second document begins here; a file holds one".to_owned(),
            Some("remove the `---`, or split the file"),
        )),
        _ => Ok(()),
    }
}

/// Refuses every tag but the one of the core schema that says what the value is anyway.
fn refuse_tag(tag: Option<&Tag>, allowed: &str, builder: &mut Builder<'_>, span: &Range<usize>) {
    let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(allowed)) else { return };
    builder.report(Diagnostic {
        code: "file.tag",
        severity: Severity::Error,
        message: format!("the tag `{}` is not supported", tag.original()),
        place: Some(builder.place(span.clone())),
        hint: Some("write the plain value; if it is a text, quote it".to_owned()),
    });
}

fn whole(code: &'static str, message: String, hint: &str) -> Diagnostics {
    let hint = Some(hint.to_owned());
    Diagnostic { code, severity: Severity::Error, message, place: None, hint }.into()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use proptest::prelude::*;

    use super::*;
    use crate::catalog::tree::{Kind, Node};

    fn file(text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: "t.yaml".into(), text: text.into() })
    }

    fn read(text: &str) -> Arc<Node> {
        let parsed = parse(&file(text)).unwrap_or_else(|d| panic!("{text:?}: {d:?}"));
        assert!(parsed.found.is_empty(), "{text:?}: {:?}", parsed.found);
        parsed.tree
    }

    fn json(text: &str) -> String {
        read(text).to_json().to_string()
    }

    /// `line:column code message`
    fn fault(text: &str) -> String {
        let found = parse(&file(text)).map_or_else(|found| found, |parsed| parsed.found);
        let [Diagnostic { code, message, place: Some(place), .. }] = found.list() else {
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
            |bytes: &[u8]| source(name(), bytes.to_vec()).unwrap_err().list()[0].message.clone();
        assert_eq!(message(b"a: 1\n\xff\xfe"), "`x.yaml` is not UTF-8 text, from line 2 on");
        assert_eq!(message(b"a: \0"), "`x.yaml` has a NUL character in line 1");
        assert_eq!(message(&vec![b' '; MAX_FILE + 1]), "`x.yaml` is larger than 4 MB");
        assert_eq!(source(name(), b"\xef\xbb\xbfa: 1".to_vec()).unwrap().text, "a: 1");
    }

    /// Tree and places, to be compared.
    fn drawn(node: &Node) -> String {
        let place = &node.place.span;
        match &node.kind {
            Kind::Map(entries) => {
                let entries: String = entries
                    .iter()
                    .map(|(key, node)| {
                        format!("{:?}@{:?}: {}, ", key.name, key.place.span, drawn(node))
                    })
                    .collect();
                format!("{{{entries}}}@{place:?}")
            }
            Kind::List(items) => {
                let items: String = items.iter().map(|item| drawn(item) + ", ").collect();
                format!("[{items}]@{place:?}")
            }
            kind @ (Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_)) => {
                format!("{kind:?}@{place:?}")
            }
        }
    }

    /// What is read quickly is what the whole parser reads, value by value and place by place.
    fn same(text: &str) -> Result<bool, String> {
        let file = file(text);
        let Some(quickly) = ordinary::read(&file) else { return Ok(false) };
        let quickly = drawn(&quickly);
        match thorough(&file) {
            Ok(read) if drawn(&read.tree) == quickly => Ok(true),
            Ok(read) => Err(format!("{text:?}\n  {quickly}\n  {}", drawn(&read.tree))),
            Err(found) => Err(format!("{text:?}\n  {quickly}\n  {:?}", found.list())),
        }
    }

    /// Everything that is shipped, read by both.
    #[test]
    fn shipped_files_are_ordinary() {
        let mut count = 0;
        let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("blueprints")];
        folders.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("actions"));
        while let Some(path) = folders.pop() {
            if path.is_dir() {
                folders.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let text = fs::read_to_string(&path).unwrap();
                assert_eq!(same(&text), Ok(true), "{}", path.display());
                count += 1;
            }
        }
        assert!(count > 40, "{count}");
    }

    #[test]
    fn what_is_ordinary_and_what_is_not() {
        for (text, ordinary) in [
            ("a: 1\n", true),
            ("a: 1", true),
            ("# c\n\na: 1 # c\n# c\nb:\n  # c\n  c: x#y\n", true),
            ("a:\nb:\n", true),
            ("a: {b: 1, 'c': [x, \"y\"], \"d\":e,}\n", true),
            ("a: [\n  x,\n  # c\n  {y: z}\n  ]\nb: {}\n", true),
            ("a: [\nx]\n", false),
            ("a:\n- b\n- c: 1\n  d:\n  - e\n- - f\n  - g\nh: i\n", true),
            ("- a\n-  b: 1\n   c: 2\n", true),
            ("- a: 1\n b: 2\n", false),
            ("-\n", false),
            ("-\n  a: 1\n", true),
            ("a b: c d\n'e' : \"\\n\\\\\"\nf:g: h\n-i: -j\n", true),
            ("a: 'it''s'\nb: ''\nc: \"\"\n", true),
            ("a: \"\\u00e9\"\n", false),
            ("a: x\n  y\n", false),
            ("a: 'x\n  y'\n", false),
            ("a: |\n  x\n   y\n\n\nb: |-\n  x\n# c\nc: |+\n  x\n\nd: 1\n", true),
            ("a: >\n  x\n  y\n\n  z\n\n\n  w\nb: >-\n  x\n", true),
            ("- |\n  x\n- >+\n  y\n\n", true),
            ("a: >\n  x\n   y\n", false),
            ("a: |2\n  x\n", false),
            ("a: |\n\n  x\n", true),
            ("a: |\n  x", false),
            ("a: é ‘x’ 🎉\n", true),
            ("a: &x 1\nb: *x\nc: [*x, &y {d: e}, *y]\nf: &z\n  g: h\n  i: *y\nj: *z\n", true),
            ("- &x a: 1\n- *x\n", false),
            ("a: &x\nb: *x\n", false),
            ("a: &x [*x]\n", false),
            ("a: 1\r\nb: 2\r\n", false),
            ("---\na: 1\n", false),
            ("a: 1\n...\n", false),
            ("? a\n: b\n", false),
            ("a: 1\na: 2\n", false),
            ("a: {{x}}\n", false),
            ("[a, b]\n", true),
            ("x\n", true),
            ("", false),
        ] {
            assert_eq!(same(text), Ok(ordinary), "{text:?}");
        }
    }

    /// Pieces of YAML, in any order.
    fn pieces() -> impl Strategy<Value = String> {
        const PIECES: &[&str] = &[
            "a",
            "bc",
            "a: ",
            "b:",
            "- ",
            "-",
            "\n",
            "\n",
            "\n  ",
            "\n    ",
            "  ",
            " ",
            "[",
            "]",
            "{",
            "}",
            ",",
            ", ",
            ": ",
            ":",
            "'",
            "\"",
            "''",
            "#",
            " # c",
            "|",
            "|-",
            ">",
            ">+",
            "\\n",
            "\\",
            "é",
            "---",
            "...",
            "1",
            "-1",
            "~",
            "true",
            ".inf",
            "? ",
            "&x ",
            "*x",
            "!t ",
            "%",
            "@",
            "{{x}}",
            "'x': ",
            "\"y\":",
            "a: [b, c]\n",
            "a: {b: c}\n",
            "a: |\n  x\n",
            "- a: 1\n  b: 2\n",
            "<<",
        ];
        prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|all| all.concat())
    }

    const FILE: &str = r#"# c
a: 1
b:
  c: {d: 'e', f: [g, "h"]}
  i: |
    j

    k
  l:
  - m: &n x
    o: >-
      p
      q
  - *n
  - r # s
t:
  - {u: {v: w}, x: 1.5}
  - y z
"#;

    /// A file with some bytes taken out, and something else put in.
    fn slips() -> impl Strategy<Value = String> {
        (0..FILE.len(), 0..6_usize, pieces()).prop_map(|(at, len, piece)| {
            let piece: String = piece.chars().take(4).collect();
            let end = (at + len).min(FILE.len());
            format!("{}{piece}{}", &FILE[..at], &FILE[end..])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn both_readers_agree_on_slips(text in slips()) {
            let same = same(&text);
            prop_assert!(same.is_ok(), "{}", same.unwrap_err());
        }

        #[test]
        fn both_readers_agree(text in pieces()) {
            let same = same(&text);
            prop_assert!(same.is_ok(), "{}", same.unwrap_err());
        }
    }
}
