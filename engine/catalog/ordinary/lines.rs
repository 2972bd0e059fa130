//! Blocks of lines.

use std::iter::repeat_n;

use crate::catalog::ordinary::line::{Text, Word};

impl<'f> Text<'f> {
    /// A block of lines, `|` or `>`, with `-` or `+` or nothing behind; each with at least `floor`
    /// spaces before it.
    pub fn lines(&mut self, floor: usize) -> Option<Word<'f>> {
        // At the root, a line could be the marker of a document.
        if floor == 0 {
            return None;
        }
        let mut block =
            Block { folded: self.peek() == b'>', text: String::new(), indent: None, empty: 0 };
        let chomping = self.end_header()?;
        // As the whole parser has it, with the spaces of the line behind.
        let (mut start, mut end) = (self.at, self.at);
        while !self.is_at_end() {
            let (line, _) = self.all.get(self.at..)?.split_once('\n')?;
            match line.bytes().position(|byte| byte != b' ') {
                Some(spaces) if spaces < floor => {
                    end = self.at + spaces;
                    break;
                }
                Some(spaces) => {
                    if block.indent.is_none() {
                        start = self.at + spaces;
                    }
                    block.push(line, spaces)?;
                }
                None => block.push_empty(line)?,
            }
            self.at += line.len() + 1;
            end = self.at;
        }
        self.begin_line()?;
        Some(Word { text: block.finish(chomping)?.into(), plain: false, span: start..end })
    }

    /// What stands behind `|` or `>`.
    fn end_header(&mut self) -> Option<u8> {
        self.at += 1;
        let chomping = self.peek();
        if matches!(chomping, b'-' | b'+') {
            self.at += 1;
        }
        self.spaces();
        (self.peek() == b'\n').then(|| self.at += 1)?;
        Some(chomping)
    }
}

struct Block {
    folded: bool,
    text: String,
    /// Spaces before each line, known from the first one on.
    indent: Option<usize>,
    /// Lines without a word, since the last one with words.
    empty: usize,
}

impl Block {
    fn push(&mut self, line: &str, spaces: usize) -> Option<()> {
        let begun = self.indent.is_some();
        let indent = *self.indent.get_or_insert(spaces);
        let content = line.get(indent..)?;
        if spaces < indent || (self.folded && content.starts_with(' ')) {
            return None;
        }
        match (begun, self.folded) {
            (true, true) if self.empty == 0 => self.text.push(' '),
            (true, false) => self.text.extend(repeat_n('\n', self.empty + 1)),
            (true, true) | (false, _) => self.text.extend(repeat_n('\n', self.empty)),
        }
        self.text.push_str(content);
        self.empty = 0;
        Some(())
    }

    /// A line of spaces, of which none belong to the text.
    fn push_empty(&mut self, line: &str) -> Option<()> {
        self.empty += 1;
        (line.len() <= self.indent.unwrap_or_default()).then_some(())
    }

    fn finish(mut self, chomping: u8) -> Option<String> {
        self.indent?;
        match chomping {
            b'-' => {}
            b'+' => self.text.extend(repeat_n('\n', self.empty + 1)),
            _ => self.text.push('\n'),
        }
        Some(self.text)
    }
}
