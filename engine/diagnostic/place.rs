//! A place in a file: bytes inside, lines and columns outside.

use std::{fmt, ops::Range, sync::Arc};

/// A text file that was read, for messages about it.
#[derive(Debug)]
pub struct SourceFile {
    /// As people see it: relative to the project, or `built-in:blueprints/slack/v0.yaml`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// Whether it is compiled in: such files are checked by our own tests.
    pub fn is_shipped(&self) -> bool {
        self.name.starts_with("built-in:")
    }
}

/// A place in a file. Cheap to clone; lines are counted only when they are asked for.
#[derive(Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Byte range within the text; may be empty.
    pub span: Range<usize>,
}

/// A line and a column, both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters (Unicode scalar values).
    pub column: usize,
}

impl Place {
    /// Where it begins.
    pub fn start(&self) -> Position {
        position(&self.file.text, self.span.start)
    }

    /// Where it ends: the position after its last character.
    pub fn end(&self) -> Position {
        position(&self.file.text, self.span.end)
    }

    /// The text that stands there.
    pub fn text(&self) -> &str {
        self.file.text.get(self.span.clone()).unwrap_or_default()
    }
}

/// `file:line:column`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.start();
        write!(f, "{}:{line}:{column}", self.file.name)
    }
}

/// Without the text of the file, which would drown everything else.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}..{}]", self.file.name, self.span.start, self.span.end)
    }
}

/// The same bytes of the same reading of a file.
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.span == other.span && Arc::ptr_eq(&self.file, &other.file)
    }
}

impl Eq for Place {}

/// Counts the position of a byte offset; one past the end, or inside a character, is moved back.
fn position(text: &str, offset: usize) -> Position {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: lines(before.as_bytes()) + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// Line breaks, counted in parts so small that a byte can hold the sum: many at a time.
fn lines(text: &[u8]) -> usize {
    let part = |part: &[u8]| part.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>();
    text.chunks(255).map(|chunk| usize::from(part(chunk))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "a: ü\nbé: x\n";
        for (offset, line, column) in
            [(0, 1, 1), (3, 1, 4), (4, 1, 4), (5, 1, 5), (6, 2, 1), (9, 2, 3), (99, 3, 1)]
        {
            assert_eq!(position(text, offset), Position { line, column }, "at {offset}");
        }
    }

    #[test]
    fn a_place_prints_as_editors_understand_it() {
        let file = Arc::new(SourceFile { name: "a.yaml".into(), text: "x\nkey: 1\n".into() });
        let place = Place { file, span: 2..5 };
        assert_eq!(place.to_string(), "a.yaml:2:1");
        assert_eq!(place.text(), "key");
        assert_eq!(format!("{place:?}"), "a.yaml[2..5]");
    }
}
