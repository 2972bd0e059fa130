//! What stands on a line: words, names, and the way from one to the next.

use std::{borrow::Cow, ops::Range};

/// A text and how far it has been read.
pub struct Text<'f> {
    /// All of it.
    pub all: &'f str,
    /// The byte that comes next.
    pub at: usize,
    /// Where this line begins.
    pub line: usize,
}

/// A text on one line.
pub struct Word<'f> {
    /// What it says.
    pub text: Cow<'f, str>,
    /// Without quotes.
    pub plain: bool,
    /// Where it stands, quotes and all.
    pub span: Range<usize>,
}

impl<'f> Text<'f> {
    /// The byte that comes next, 0 at the end.
    pub fn peek(&self) -> u8 {
        self.byte(self.at)
    }

    fn byte(&self, at: usize) -> u8 {
        self.all.as_bytes().get(at).copied().unwrap_or_default()
    }

    /// Whether nothing comes next.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.all.len()
    }

    /// Of what comes next, when only spaces, dashes and ASCII keys stand before it.
    pub fn column(&self) -> usize {
        self.at - self.line
    }

    /// Whether the byte ends a word together with the `:`, `-` or `?` before it.
    pub fn is_blank(byte: u8) -> bool {
        matches!(byte, b' ' | b'\n' | 0)
    }

    /// Whether a `-` comes next that begins an element.
    pub fn is_dash(&self) -> bool {
        self.peek() == b'-' && Self::is_blank(self.byte(self.at + 1))
    }

    /// Nothing but values begins a line: no document and no directive.
    pub fn begin_line(&mut self) -> Option<()> {
        self.line = self.at;
        let rest = self.all.as_bytes().get(self.at..)?;
        let marker = matches!(rest, [b'-', b'-', b'-', ..] | [b'.', b'.', b'.', ..] | [b'%', ..]);
        (!marker).then_some(())
    }

    /// Goes over spaces.
    pub fn spaces(&mut self) {
        while self.peek() == b' ' {
            self.at += 1;
        }
    }

    /// Goes to what comes next, over spaces, ends of lines and comments.
    pub fn skip(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                b' ' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.begin_line()?;
                }
                b'#' if self.at == self.line || self.byte(self.at - 1) == b' ' => {
                    let rest = self.all.as_bytes().get(self.at..)?;
                    let len = rest.iter().position(|&byte| byte == b'\n');
                    self.at = len.map_or(self.all.len(), |len| self.at + len);
                }
                b'#' => return None,
                _ => return Some(()),
            }
        }
    }

    /// Whether what comes next belongs to something farther out.
    pub fn is_below(&self, floor: usize) -> bool {
        self.is_at_end() || self.column() < floor
    }

    /// Goes over spaces; whether a `:` comes then that ends a key. In brackets, nothing need
    /// follow it after a quote.
    pub fn is_colon(&mut self, quoted_in_flow: bool) -> bool {
        self.spaces();
        self.peek() == b':' && (quoted_in_flow || Self::is_blank(self.byte(self.at + 1)))
    }

    /// Within brackets: goes to what comes next, which may stand on another line.
    pub fn skip_in_flow(&mut self, floor: usize) -> Option<()> {
        let line = self.line;
        self.skip()?;
        (!self.is_at_end() && (self.line == line || self.column() >= floor)).then_some(())
    }

    /// Of an anchor or an alias, from the sign before it on.
    pub fn name(&mut self) -> Option<&'f str> {
        let start = self.at + 1;
        let rest = self.all.get(start..)?;
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let len = rest.bytes().position(|byte| !is_of_name(byte))?;
        self.at = start + len;
        rest.get(..len).filter(|name| !name.is_empty())
    }

    /// A text on one line.
    pub fn word(&mut self, flow: bool) -> Option<Word<'f>> {
        match self.peek() {
            b'\'' => self.single_quoted(),
            b'"' => self.double_quoted(),
            _ => self.plain(flow),
        }
    }

    fn plain(&mut self, flow: bool) -> Option<Word<'f>> {
        let start = self.at;
        let bytes = self.all.as_bytes();
        let in_flow = |byte: u8| flow && matches!(byte, b',' | b'[' | b']' | b'{' | b'}');
        match self.peek() {
            b'-' if !Self::is_blank(self.byte(start + 1)) && !in_flow(self.byte(start + 1)) => {}
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!'
            | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`' | b'\n' | 0 => return None,
            _ => {}
        }
        let mut end = start;
        for (at, &byte) in bytes.iter().enumerate().skip(start) {
            match byte {
                b' ' => continue,
                b'\n' => break,
                b':' => match self.byte(at + 1) {
                    next if Self::is_blank(next) => break,
                    next if in_flow(next) => return None,
                    _ => {}
                },
                b'#' if bytes.get(at - 1) == Some(&b' ') => break,
                _ if in_flow(byte) => break,
                _ => {}
            }
            end = at + 1;
        }
        self.at = end;
        let text = Cow::Borrowed(self.all.get(start..end)?);
        Some(Word { text, plain: true, span: start..end })
    }

    fn single_quoted(&mut self) -> Option<Word<'f>> {
        let start = self.at;
        let mut at = start + 1;
        let mut twice = false;
        loop {
            match (self.byte(at), self.byte(at + 1)) {
                (b'\'', b'\'') => {
                    twice = true;
                    at += 2;
                }
                (b'\'', _) => break,
                (b'\n' | 0, _) => return None,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        let inner = self.all.get(start + 1..at)?;
        let text = if twice { inner.replace("''", "'").into() } else { inner.into() };
        Some(Word { text, plain: false, span: start..self.at })
    }

    fn double_quoted(&mut self) -> Option<Word<'f>> {
        let start = self.at;
        let mut text = Cow::Borrowed("");
        let mut from = start + 1;
        let mut at = from;
        loop {
            let byte = self.byte(at);
            match byte {
                b'"' | b'\\' => {
                    let part = self.all.get(from..at)?;
                    if text.is_empty() {
                        text = part.into();
                    } else {
                        text.to_mut().push_str(part);
                    }
                    if byte == b'"' {
                        break;
                    }
                    text.to_mut().push(match self.byte(at + 1) {
                        b'n' => '\n',
                        b't' => '\t',
                        b'r' => '\r',
                        b'"' => '"',
                        b'/' => '/',
                        b'\\' => '\\',
                        _ => return None,
                    });
                    at += 2;
                    from = at;
                }
                b'\n' | 0 => return None,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some(Word { text, plain: false, span: start..self.at })
    }
}
