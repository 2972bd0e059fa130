//! Walks over the text of a template, and reads its literals.

use serde_json::{Number, Value};

use crate::{
    model::template::Expr,
    template::{complaint::error, scope::Error},
};

/// A place in the text, moving to its end.
pub struct Cursor<'t> {
    /// The whole text.
    pub text: &'t str,
    /// The byte that comes next.
    pub at: usize,
    /// Parentheses that are open.
    pub depth: usize,
}

impl<'t> Cursor<'t> {
    /// At the beginning.
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The character that comes next.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Skips white space.
    pub fn space(&mut self) {
        // The white space of handlebars; others are not read as such.
        self.at +=
            self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Takes `token` if it comes next.
    pub fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// The name that comes next; may be empty.
    pub fn name(&mut self) -> &'t str {
        let rest = self.rest();
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | ':');
        let name = rest.find(|c| !is_name(c)).map_or(rest, |end| rest.get(..end).unwrap_or(rest));
        self.at += name.len();
        name
    }

    /// `"…"` or `'…'`, with the escapes of JSON.
    pub fn string(&mut self, quote: char) -> Result<Expr, Error> {
        let start = self.at;
        let mut escaped = false;
        let inner = self.rest().get(1..).unwrap_or_default();
        let end = inner.find(|c| {
            let found = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            found
        });
        let Some(inner) = end.and_then(|end| inner.get(..end)) else {
            return Err(error(
                (start, 1),
                "a string without an end",
                "close it with the quote that begins it",
            ));
        };
        self.at += inner.len() + 2;
        let json = match quote {
            '\'' => format!("\"{}\"", inner.replace('"', "\\\"")),
            _ => format!("\"{inner}\""),
        };
        // JSON takes no raw control characters; handlebars does not either, and neither do we.
        match serde_json::from_str::<String>(&json) {
            Ok(text) => Ok(Expr::Literal(Value::String(text))),
            Err(_) => Err(error(
                (start, inner.len() + 2),
                "a string with an unknown escape or a line break",
                "escapes are those of JSON: `\\n`, `\\t`, `\\\\`, `\\\"`, `\\u00e9`",
            )),
        }
    }

    /// A number as in JSON, without `+` and with a capital `E` if any.
    pub fn number(&mut self) -> Result<Expr, Error> {
        let start = self.at;
        let mut token = self.name();
        if self.peek() == Some('.') {
            self.at += 1;
            let fraction = self.name();
            token = self.text.get(start..start + token.len() + 1 + fraction.len()).unwrap_or(token);
        }
        let plain = !token.contains('e') && !matches!(self.peek(), Some('.' | '/' | '['));
        match serde_json::from_str::<Number>(token) {
            Ok(number) if plain => Ok(Expr::Literal(number.into())),
            _ => Err(error(
                (start, token.len()),
                &format!("`{token}` is not a number"),
                "a path begins with a name; texts need quotes; numbers are as in JSON",
            )),
        }
    }
}
