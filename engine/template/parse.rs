//! Text → [`Template`]. The syntax is a subset of handlebars; what only handlebars has is refused
//! with a word about what to write instead. Anything beyond plain paths must also be accepted by
//! the `handlebars` crate, so that editors and we agree on what a template is.

use serde_json::{Number, Value};

use crate::{
    diagnostic,
    model::template::{Call, Expr, Part, Path, Template},
    template::{
        functions::{self, Function},
        scope::Error,
    },
};

/// Longer texts are no templates.
const LONGEST: usize = 64 * 1024;
/// Deeper calls are refused.
const DEEPEST: usize = 16;

/// Reads a template. A text that is exactly one expression after trimming is a lone one.
pub fn parse(text: &str) -> Result<Template, Error> {
    if !text.contains("{{") {
        return Ok(Template::text(text));
    }
    if text.len() > LONGEST {
        return Err(error("this template is longer than 64 KiB", 0, 1, None));
    }
    let mut parser = Parser { text, at: 0, depth: 0, plain: true };
    let mut parts = Vec::new();
    let mut raw = String::new();
    while let Some(open) = parser.rest().find("{{") {
        let before = parser.at;
        let literal = text.get(before..before + open).unwrap_or_default();
        if let Some(kept) = literal.strip_suffix('\\') {
            raw.push_str(kept);
            raw.push_str("{{");
            parser.at += open + 2;
            continue;
        }
        raw.push_str(literal);
        parser.at += open;
        if !raw.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut raw)));
        }
        parts.push(Part::Expr(parser.tag()?));
    }
    raw.push_str(parser.rest());
    if !raw.is_empty() {
        parts.push(Part::Text(raw));
    }
    if !parser.plain {
        agree(text)?;
    }
    Ok(lone(text, parts))
}

/// White space around a single expression belongs to the YAML, not to the value.
fn lone(text: &str, parts: Vec<Part>) -> Template {
    let blank = |part: &Part| matches!(part, Part::Text(text) if text.trim().is_empty());
    let expressions = parts.iter().filter(|part| matches!(part, Part::Expr(_))).count();
    let only =
        expressions == 1 && parts.iter().all(|part| blank(part) || matches!(part, Part::Expr(_)));
    let parts = if only { parts.into_iter().filter(|part| !blank(part)).collect() } else { parts };
    Template { source: if only { text.trim().into() } else { text.into() }, parts }
}

/// The referee.
fn agree(text: &str) -> Result<(), Error> {
    match handlebars::template::Template::compile(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(error(
            "this is not handlebars syntax",
            0,
            text.len().max(1),
            Some("write `{{path}}` or `{{helper argument name=argument}}`".to_owned()),
        )),
    }
}

fn error(message: impl Into<String>, offset: usize, len: usize, hint: Option<String>) -> Error {
    Error { message: message.into(), offset, len: len.max(1), hint }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// Only plain paths so far.
    plain: bool,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// `{{ … }}`
    fn tag(&mut self) -> Result<Expr, Error> {
        let start = self.at;
        self.at += 2;
        self.refuse(start)?;
        self.blank();
        if self.rest().starts_with("}}") {
            return Err(error("there is nothing between `{{` and `}}`", start, 4, None));
        }
        let expr = self.call(start)?;
        self.blank();
        if self.eat("}}") {
            return Ok(expr);
        }
        let (at, len) = (self.at, self.rest().chars().next().map_or(1, char::len_utf8));
        if self.rest().contains("}}") {
            let hint =
                "several helpers are nested with parentheses: `{{join (pluck list \"id\") \",\"}}`";
            return Err(error(
                "this does not belong into the expression",
                at,
                len,
                Some(hint.to_owned()),
            ));
        }
        let hint = "write `\\{{` if two braces are meant as text";
        Err(error("this `{{` is never closed with `}}`", start, 2, Some(hint.to_owned())))
    }

    /// What handlebars has and we do not.
    fn refuse(&self, start: usize) -> Result<(), Error> {
        let (what, hint) = match self.rest().trim_start().chars().next() {
            Some('{') => ("`{{{` has no meaning here", "nothing is escaped: write `{{x}}`"),
            Some('&') => ("`{{&` has no meaning here", "nothing is escaped: write `{{x}}`"),
            Some('#' | '/' | '^') => {
                ("there are no blocks", "use the helper `if`, the step's `if:`, or `$map`")
            }
            Some('>') => ("there are no partials", "YAML anchors repeat text within a file"),
            Some('*') => {
                ("there are no decorators", "helpers are listed in docs/reference/helpers.md")
            }
            Some('!') => ("there are no template comments", "use a YAML comment"),
            Some('~') => ("`~` has no meaning here", "write `{{x}}`"),
            _ => return Ok(()),
        };
        Err(error(what, start, 3, Some(hint.to_owned())))
    }

    /// A helper with arguments, or a single argument.
    fn call(&mut self, start: usize) -> Result<Expr, Error> {
        let at = self.at;
        let Some(name) = self.identifier() else { return self.argument() };
        let follows = self.rest().chars().next();
        let function = functions::find(name);
        let ends = follows.is_none_or(|c| c == '}' || c == ')' || c.is_whitespace());
        if ends {
            self.blank();
            let alone = self.rest().starts_with("}}") || self.rest().starts_with(')');
            if let Some(function) = function.filter(|f| !alone || f.name == "now") {
                return self.arguments(function, at);
            }
            if !alone && !name.is_empty() {
                if self.rest().is_empty() {
                    let hint = "write `\\{{` if two braces are meant as text";
                    return Err(error(
                        "this `{{` is never closed with `}}`",
                        start,
                        2,
                        Some(hint.to_owned()),
                    ));
                }
                let names = functions::ALL.iter().map(|f| f.name);
                let hint = diagnostic::suggest(name, names);
                return Err(error(format!("there is no helper `{name}`"), at, name.len(), hint));
            }
        }
        self.at = at;
        self.argument()
    }

    /// What follows a helper's name.
    fn arguments(&mut self, function: &'static Function, at: usize) -> Result<Expr, Error> {
        self.plain = false;
        let (mut args, mut named) = (Vec::new(), Vec::new());
        loop {
            self.blank();
            if self.rest().is_empty()
                || self.rest().starts_with("}}")
                || self.rest().starts_with(')')
            {
                break;
            }
            let start = self.at;
            match self.identifier() {
                Some(name) if self.rest().starts_with('=') => {
                    self.at += 1;
                    let known = function.named.contains(&name) || function.named.contains(&"*");
                    if !known {
                        let hint = diagnostic::suggest(name, function.named.iter().copied());
                        let message = format!("`{}` takes no `{name}=`", function.name);
                        return Err(error(message, start, name.len(), hint));
                    }
                    named.push((name.to_owned(), self.argument()?));
                }
                Some(_) | None => {
                    self.at = start;
                    args.push(self.argument()?);
                }
            }
        }
        let (least, most) = function.arity;
        if args.len() < least || args.len() > most {
            let message = format!("`{}` got {} arguments", function.name, args.len());
            let hint = format!("write `{{{{{}}}}}`: {}", function.usage, function.doc);
            return Err(error(message, at, self.at - at, Some(hint)));
        }
        Ok(Expr::Call(Box::new(Call { helper: function.name, args, named })))
    }

    /// A path, a literal, or a call in parentheses.
    fn argument(&mut self) -> Result<Expr, Error> {
        self.blank();
        let start = self.at;
        if self.eat("(") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(error("calls are nested too deeply", start, 1, None));
            }
            self.plain = false;
            self.blank();
            let inner = self.call(start)?;
            self.blank();
            if !self.eat(")") {
                return Err(error("this `(` is never closed", start, 1, None));
            }
            self.depth -= 1;
            return Ok(inner);
        }
        match self.rest().chars().next() {
            Some('"' | '\'') => self.text_literal(),
            Some(c) if c == '-' || c.is_ascii_digit() => self.number(),
            _ => self.path(),
        }
    }

    fn text_literal(&mut self) -> Result<Expr, Error> {
        self.plain = false;
        let start = self.at;
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map_or('"', |(_, c)| c);
        let mut escaped = false;
        for (at, c) in chars {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    let inner = self.rest().get(1..at).unwrap_or_default();
                    self.at += at + 1;
                    let json = if quote == '"' {
                        inner.to_owned()
                    } else {
                        inner.replace("\\'", "'").replace('"', "\\\"")
                    };
                    let escaped = json.replace('\n', "\\n").replace('\t', "\\t");
                    return serde_json::from_str(&format!("\"{escaped}\""))
                        .map(Expr::Literal)
                        .map_err(|_| {
                            error(
                                "this text has an escape that JSON does not know",
                                start,
                                at + 1,
                                None,
                            )
                        });
                }
                _ => {}
            }
        }
        Err(error("this text is never closed", start, 1, None))
    }

    fn number(&mut self) -> Result<Expr, Error> {
        self.plain = false;
        let start = self.at;
        let rest = self.rest();
        let ends = |c: char| c.is_whitespace() || matches!(c, ')' | '}' | '=');
        let text = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        self.at += text.len();
        match serde_json::from_str::<Number>(text) {
            Ok(number) => Ok(Expr::Literal(Value::Number(number))),
            Err(_) => Err(error(format!("`{text}` is no number"), start, text.len(), None)),
        }
    }

    fn path(&mut self) -> Result<Expr, Error> {
        let start = self.at;
        let Some(root) = self.identifier() else {
            let c = self.rest().chars().next();
            let hint = match c {
                Some('.' | '@') => "paths begin with a root such as `input`, `steps` or `body`",
                _ => "write `{{path}}` or `{{helper argument name=argument}}`",
            };
            let len = c.map_or(1, char::len_utf8);
            return Err(error(
                "here should stand a path, a literal or `(`",
                start,
                len,
                Some(hint.to_owned()),
            ));
        };
        let mut segments = Vec::new();
        while self.eat(".") {
            segments.push(self.segment()?);
        }
        if self.rest().starts_with('/') {
            let hint = "write the members with dots: `a.b.c`".to_owned();
            return Err(error("a path has no `/`", self.at, 1, Some(hint)));
        }
        if segments.is_empty() {
            let literal = match root {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                "null" => Some(Value::Null),
                _ => None,
            };
            if let Some(value) = literal {
                return Ok(Expr::Literal(value));
            }
        }
        if let Some(function) =
            functions::find(root).filter(|f| f.name == "now" && segments.is_empty())
        {
            self.plain = false;
            return Ok(Expr::Call(Box::new(Call {
                helper: function.name,
                args: Vec::new(),
                named: Vec::new(),
            })));
        }
        if root == "this" {
            let hint = "name the root: `input`, `steps`, `body`, or the `as` name".to_owned();
            return Err(error("there is no `this`", start, 4, Some(hint)));
        }
        Ok(Expr::Path(Path { root: root.to_owned(), segments, offset: start }))
    }

    /// `name`, `0` or `[any text]`
    fn segment(&mut self) -> Result<String, Error> {
        let start = self.at;
        if self.eat("[") {
            let Some(end) = self.rest().find(']') else {
                return Err(error("this `[` is never closed", start, 1, None));
            };
            let name = self.rest().get(..end).unwrap_or_default();
            self.at += end + 1;
            return Ok(name.to_owned());
        }
        match self.identifier() {
            Some(name) => Ok(name.to_owned()),
            None => {
                let hint =
                    "names with other characters stand in brackets: `body.[@odata.nextLink]`";
                Err(error(
                    "here should stand the name of a member",
                    start,
                    1,
                    Some(hint.to_owned()),
                ))
            }
        }
    }

    /// Letters, digits, `_`, `-`, `$`, and `:` as handlebars has it.
    fn identifier(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | ':');
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let name = rest.get(..end).filter(|name| !name.is_empty())?;
        self.at += end;
        Some(name)
    }
}
