//! Ordinary YAML, read quickly: lists and objects in blocks and in brackets, texts on one line,
//! quoted or not, blocks of lines, anchors and aliases, comments. What is rarer (tags, tabs, texts
//! that go on in the next line, several documents …) and what is wrong is not read here at all.
//!
//! With the whole parser alone, reading and checking a thousand blueprints takes 1.6 times as long
//! (`docs/benchmarks.md`). `yaml.rs` holds this reader, by test and by fuzzing, to the tree that
//! the whole parser makes of the same text.

mod line;
mod lines;

use std::sync::Arc;

use crate::{
    catalog::{
        builder::{Builder, Parsed, Structure},
        ordinary::line::{Text, Word},
        tree::Node,
    },
    diagnostic::SourceFile,
};

/// A key of more bytes than this is not ordinary; YAML has them end at 1024 characters.
const LONGEST_KEY: usize = 1000;

/// The tree of an ordinary file; `None` if it is not ordinary, or faulty.
pub fn read(file: &Arc<SourceFile>) -> Option<Arc<Node>> {
    let text = file.text.as_str();
    if !is_printable(text) {
        return None;
    }
    let mut text = Text { all: text, at: 0, line: 0 };
    text.begin_line()?;
    text.skip()?;
    if text.is_at_end() {
        return None;
    }
    let mut reader = Reader { text, anchors: Vec::new(), builder: Builder::new(file) };
    reader.node(0, true)?;
    if !reader.text.is_at_end() {
        return None;
    }
    let Parsed { tree, found } = reader.builder.finish();
    found.is_empty().then_some(tree)
}

/// Whether there are only characters of which nobody doubts that they may stand in YAML: no tabs,
/// no carriage returns, no separators of lines but `\n`, no controls, no byte order marks.
fn is_printable(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'\n' | b' '..=b'~');
    let rare = |c: char| matches!(c, '\u{a0}'..='\u{2027}' | '\u{202f}'..='\u{d7ff}' | '\u{10000}'..='\u{1fffd}');
    text.bytes().all(plain) || text.chars().all(|c| u8::try_from(c).is_ok_and(plain) || rare(c))
}

struct Reader<'f> {
    text: Text<'f>,
    /// The names of anchors; each one's number is its place here, from 1 on.
    anchors: Vec<&'f str>,
    builder: Builder<'f>,
}

impl<'f> Reader<'f> {
    /// After a value: nothing more on its line, and nothing that would belong to it below.
    fn end_value(&mut self, floor: usize) -> Option<()> {
        let line = self.text.line;
        self.text.skip()?;
        if !self.text.is_at_end() && self.text.line == line {
            return None;
        }
        self.text.is_below(floor).then_some(())
    }

    /// A value in block style, whose lines have at least `floor` spaces before them; `compact` if
    /// a list or an object in block style may begin here. Goes to what comes after it.
    fn node(&mut self, floor: usize, mut compact: bool) -> Option<()> {
        let anchor = self.anchor()?;
        if anchor != 0 {
            // On its line it would be the anchor of the key, or stand before a dash.
            let line = self.text.line;
            self.text.skip()?;
            if self.text.is_below(floor) {
                return None;
            }
            compact = self.text.line > line;
        }
        match self.text.peek() {
            b'-' if self.text.is_dash() => {
                if !compact {
                    return None;
                }
                self.list(anchor)
            }
            b'[' | b'{' => {
                self.flow(anchor, floor)?;
                self.end_value(floor)
            }
            b'|' | b'>' => {
                let word = self.text.lines(floor)?;
                self.scalar(anchor, &word)?;
                self.text.skip()?;
                self.text.is_below(floor).then_some(())
            }
            b'*' if anchor == 0 => {
                self.alias()?;
                self.end_value(floor)
            }
            _ => {
                let word = self.text.word(false)?;
                if self.text.is_colon(false) {
                    return if compact { self.object(anchor, word) } else { None };
                }
                self.scalar(anchor, &word)?;
                self.end_value(floor)
            }
        }
    }

    /// The number of the anchor that comes next, and goes over it; 0 if none does.
    fn anchor(&mut self) -> Option<usize> {
        if self.text.peek() != b'&' {
            return Some(0);
        }
        let name = self.text.name()?;
        if !Text::is_blank(self.text.peek()) {
            return None;
        }
        self.anchors.push(name);
        Some(self.anchors.len())
    }

    fn alias(&mut self) -> Option<()> {
        let start = self.text.at;
        let name = self.text.name()?;
        let number = self.anchors.iter().rposition(|anchor| *anchor == name)? + 1;
        self.builder.alias(number, start..self.text.at).ok()
    }

    fn scalar(&mut self, anchor: usize, word: &Word<'_>) -> Option<()> {
        self.builder.scalar((&word.text, word.plain), (anchor, word.span.clone())).ok()
    }

    fn key(&mut self, word: &Word<'_>) -> Option<()> {
        if word.span.len() > LONGEST_KEY {
            return None;
        }
        self.text.at += 1;
        self.builder.key(&word.text, word.plain, word.span.clone()).ok()
    }

    /// An object in block style, from the colon of its first key on.
    fn object(&mut self, anchor: usize, first: Word<'f>) -> Option<()> {
        let column = first.span.start - self.text.line;
        self.builder.begin(Structure::Map, false, (anchor, first.span.clone())).ok()?;
        let mut key = first;
        loop {
            self.key(&key)?;
            self.text.spaces();
            let line = self.text.line;
            self.text.skip()?;
            let deeper = self.text.line == line || self.text.column() > column;
            if self.text.is_at_end()
                || !(deeper || self.text.column() == column && self.text.is_dash())
            {
                self.builder.scalar(("", true), (0, 0..0)).ok()?;
            } else {
                self.node(column + 1, self.text.line > line)?;
            }
            if self.text.is_at_end() || self.text.column() < column {
                return self.builder.end(&(0..0)).ok();
            }
            if self.text.column() > column || self.text.is_dash() {
                return None;
            }
            key = self.text.word(false)?;
            if !self.text.is_colon(false) {
                return None;
            }
        }
    }

    /// A list in block style, from its first dash on.
    fn list(&mut self, anchor: usize) -> Option<()> {
        let column = self.text.column();
        self.builder
            .begin(Structure::List, false, (anchor, self.text.at..self.text.at + 1))
            .ok()?;
        while !self.text.is_at_end() && self.text.column() == column && self.text.is_dash() {
            self.text.at += 1;
            let line = self.text.line;
            self.text.skip()?;
            if self.text.is_at_end() || (self.text.line > line && self.text.column() <= column) {
                return None;
            }
            self.node(column + 1, true)?;
        }
        // A list may stand right below its key, in the same column; whoever began it looks there.
        (self.text.is_at_end() || self.text.column() <= column).then_some(())?;
        self.builder.end(&(0..0)).ok()
    }

    fn node_in_flow(&mut self, floor: usize) -> Option<()> {
        let anchor = self.anchor()?;
        self.text.spaces();
        match self.text.peek() {
            b'[' | b'{' => self.flow(anchor, floor),
            b'*' if anchor == 0 => self.alias(),
            _ => {
                let word = self.text.word(true)?;
                self.scalar(anchor, &word)
            }
        }
    }

    /// A list or an object in brackets.
    fn flow(&mut self, anchor: usize, floor: usize) -> Option<()> {
        let (structure, close) = match self.text.peek() {
            b'[' => (Structure::List, b']'),
            b'{' => (Structure::Map, b'}'),
            _ => return None,
        };
        self.builder.begin(structure, true, (anchor, self.text.at..self.text.at + 1)).ok()?;
        self.text.at += 1;
        self.text.skip_in_flow(floor)?;
        while self.text.peek() != close {
            if structure == Structure::Map {
                let key = self.text.word(true)?;
                if !self.text.is_colon(!key.plain) {
                    return None;
                }
                self.key(&key)?;
                self.text.skip_in_flow(floor)?;
            }
            self.node_in_flow(floor)?;
            self.text.skip_in_flow(floor)?;
            match self.text.peek() {
                b',' => {
                    self.text.at += 1;
                    self.text.skip_in_flow(floor)?;
                }
                byte if byte == close => {}
                _ => return None,
            }
        }
        self.text.at += 1;
        self.builder.end(&(self.text.at - 1..self.text.at)).ok()
    }
}
