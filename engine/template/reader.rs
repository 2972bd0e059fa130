//! Reads what stands between `{{` and `}}`, from left to right.

use serde_json::Value;

use crate::{
    model::template::{Call, Expr, Path},
    template::{
        complaint::{
            arity, bare_literal, error, foreign, known_argument, root, shown, unclosed,
            unknown_helper,
        },
        cursor::Cursor,
        describe::spelled,
        functions::{self, Function},
        scope::Error,
    },
};

/// Parentheses within parentheses.
const MAX_NESTING: usize = 32;

/// What ends a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Braces,
    Paren,
}

impl Cursor<'_> {
    /// `{{` … `}}`
    pub fn braces(&mut self) -> Result<Expr, Error> {
        let start = self.at;
        self.at += 2;
        if let Some((message, hint)) = self.rest().chars().next().and_then(foreign) {
            return Err(error((start, 3), message, hint));
        }
        let expr = self.call(End::Braces).map_err(|error| self.or_unclosed(start, error))?;
        self.space();
        match self.peek() {
            Some('}') if self.take("}}") => Ok(expr),
            Some('~') => Err(error(
                (self.at, 1),
                "`~` is not part of this language",
                "white space of text is kept; leave `~` out",
            )),
            Some(c) => Err(self.or_unclosed(
                start,
                error(
                    (self.at, c.len_utf8()),
                    &format!("unexpected `{}`", shown(c)),
                    "one `{{ }}` holds one expression",
                ),
            )),
            None => Err(unclosed(start)),
        }
    }

    /// An expression that is never closed is told so, whatever else seems wrong in it.
    fn or_unclosed(&self, start: usize, other: Error) -> Error {
        let rest = self.text.get(start..).unwrap_or_default();
        if rest.contains("}}") { other } else { unclosed(start) }
    }

    /// `helper arg name=arg` or an argument alone.
    fn call(&mut self, end: End) -> Result<Expr, Error> {
        self.space();
        let start = self.at;
        match self.peek() {
            None | Some('}' | ')') => {
                return Err(error(
                    (start.saturating_sub(2), 2),
                    "an empty expression",
                    "name a value, such as `input.x`",
                ));
            }
            Some('(') if end == End::Braces => return self.argument(),
            Some('"' | '\'') => return Err(bare_literal((start, 1))),
            Some(_) => {}
        }
        let name = self.name();
        if matches!(name, "true" | "false" | "null")
            || name.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        {
            return Err(bare_literal((start, name.len())));
        }
        if !matches!(self.peek(), None | Some(' ' | '\t' | '\n' | '\r' | '}' | ')')) {
            self.at = start;
            let path = self.path()?;
            self.space();
            if self.starts_argument() {
                return Err(error(
                    (start, extent(self.text, start)),
                    &format!("`{}` is a path and takes no arguments", spelled(&path)),
                    "a helper's name comes first; strings need quotes",
                ));
            }
            return Ok(Expr::Path(path));
        }
        self.space();
        let function = functions::find(name);
        if self.starts_argument() {
            let Some(function) = function else { return Err(unknown_helper(start, name)) };
            return self.arguments(function, start);
        }
        match function {
            Some(function) => self.arguments(function, start),
            None => Ok(Expr::Path(Path {
                root: root(start, name)?,
                segments: Vec::new(),
                offset: start,
            })),
        }
    }

    fn starts_argument(&self) -> bool {
        !matches!(self.peek(), None | Some('}' | ')' | '~'))
    }

    /// The arguments of a helper, up to the end of its call.
    fn arguments(&mut self, function: &'static Function, start: usize) -> Result<Expr, Error> {
        let (mut args, mut named) = (Vec::new(), Vec::<(String, Expr)>::new());
        loop {
            self.space();
            if !self.starts_argument() {
                break;
            }
            let at = self.at;
            let name = self.name();
            let after_name = self.at;
            self.space();
            if !name.is_empty() && self.take("=") {
                known_argument(function, (at, name))?;
                if named.iter().any(|(n, _)| n == name) {
                    return Err(error(
                        (at, name.len()),
                        &format!("`{name}` is given twice"),
                        "leave one of them out",
                    ));
                }
                self.space();
                named.push((name.to_owned(), self.argument()?));
            } else {
                self.at = at;
                args.push(self.argument()?);
            }
            if self.at < after_name {
                break;
            }
        }
        let len = self.at - start;
        if args.len() < function.min || args.len() > function.max {
            let len = self.text.get(start..self.at).map_or(len, |text| text.trim_end().len());
            return Err(arity(function, args.len(), (start, len)));
        }
        Ok(Expr::Call(Box::new(Call { helper: function.name, args, named })))
    }

    /// A path, a literal or a call in parentheses.
    fn argument(&mut self) -> Result<Expr, Error> {
        let start = self.at;
        match self.peek() {
            Some('(') => {
                self.depth += 1;
                if self.depth > MAX_NESTING {
                    return Err(error(
                        (start, 1),
                        "parentheses are nested more than 32 deep",
                        "use a step of its own for a part of it",
                    ));
                }
                self.at += 1;
                let expr = self.call(End::Paren)?;
                self.space();
                if !self.take(")") {
                    return Err(error((start, 1), "`(` without `)`", "close the parenthesis"));
                }
                self.depth -= 1;
                Ok(expr)
            }
            Some(quote @ ('"' | '\'')) => self.string(quote),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            _ => {
                let name = self.name();
                if !matches!(self.peek(), Some('.' | '/' | '[')) {
                    match name {
                        "true" => return Ok(Expr::Literal(Value::Bool(true))),
                        "false" => return Ok(Expr::Literal(Value::Bool(false))),
                        "null" => return Ok(Expr::Literal(Value::Null)),
                        _ => {}
                    }
                    if let Some(constant) = functions::find(name).filter(|f| f.is_constant()) {
                        return Ok(Expr::Call(Box::new(Call {
                            helper: constant.name,
                            args: Vec::new(),
                            named: Vec::new(),
                        })));
                    }
                }
                self.at = start;
                Ok(Expr::Path(self.path()?))
            }
        }
    }

    /// `root.name.0.[any name]`
    fn path(&mut self) -> Result<Path, Error> {
        let start = self.at;
        let name = self.name();
        if name.is_empty() {
            return Err(self.no_name(start));
        }
        let root = root(start, name)?;
        let mut segments = Vec::new();
        loop {
            let at = self.at;
            match self.peek() {
                Some('.') => self.at += 1,
                Some('/') => {
                    return Err(error(
                        (at, 1),
                        "`/` in a path",
                        "write `.` between the names; quotes make a text",
                    ));
                }
                Some('[') => {
                    return Err(error(
                        (at, 1),
                        "`[` directly after a name",
                        "write `.[` before such a name",
                    ));
                }
                _ => return Ok(Path { root, segments, offset: start }),
            }
            let segment = if self.take("[") {
                let Some((name, _)) = self.rest().split_once(']') else {
                    return Err(error((self.at - 1, 1), "`[` without `]`", "close the bracket"));
                };
                self.at += name.len() + 1;
                name
            } else {
                self.name()
            };
            if segment.is_empty() {
                return Err(error(
                    (at, 1),
                    "a path with an empty name",
                    "a name or an index follows each `.`",
                ));
            }
            if segment == "this" {
                return Err(error(
                    (at + 1, 4),
                    "`this` in a path",
                    "handlebars skips it; leave it out",
                ));
            }
            segments.push(segment.to_owned());
        }
    }

    /// Why there is no name where one must be.
    fn no_name(&self, at: usize) -> Error {
        let rest = self.rest();
        if rest.starts_with("..") || rest.starts_with("./") {
            return error(
                (at, 2),
                "`../` and `./` are not part of this language",
                "name the value from its root, such as `input.x`",
            );
        }
        match self.peek() {
            Some('@') => error(
                (at, 1),
                "`@` variables are not part of this language",
                "in a step with `each`, the position is `index`; other names go in `.[…]`",
            ),
            Some('[') => error(
                (at, 1),
                "a path that begins with `[`",
                "begin with a root such as `body`: `body.[name]`",
            ),
            Some('|') => error(
                (at, 1),
                "`|` is not part of this language",
                "helpers come first: `{{lower input.x}}`",
            ),
            Some('=') => error(
                (at, 1),
                "`=` without a name before it",
                "named arguments are `name=value`; to compare, `eq a b`",
            ),
            Some(c) => error(
                (at, c.len_utf8()),
                &format!("unexpected `{}`", shown(c)),
                "a value is a path such as `input.x`, a literal, or `(helper …)`",
            ),
            None => error(
                (at.saturating_sub(1), 1),
                "the expression ends too early",
                "a value is missing",
            ),
        }
    }
}

/// How many bytes the path at `offset` takes: up to white space, a parenthesis or a brace.
pub fn extent(source: &str, offset: usize) -> usize {
    let mut bracketed = false;
    let rest = source.get(offset..).unwrap_or_default();
    let end = rest.find(|c: char| {
        bracketed = (bracketed || c == '[') && c != ']';
        !bracketed && (c.is_whitespace() || matches!(c, '(' | ')' | '{' | '}' | '='))
    });
    end.unwrap_or(rest.len()).max(1)
}
