//! Where a value goes decides its encoding; authors never encode.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{
    model::{
        blueprint::Arrays,
        template::{Expr, Part, Shape, Template},
    },
    template::{
        evaluate::{evaluate, expr_reads_input, expr_value, reads_input, text},
        fuel::Fuel,
        scope::{Fault, Scope},
        values::{kind, plain_text},
    },
};

/// Everything but `A–Z a–z 0–9 - . _ ~` (the unreserved characters of RFC 3986).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// In names `$ [ ]` stay as they are.
const NAME: &AsciiSet = &VALUE.remove(b'$').remove(b'[').remove(b']');

/// A header value: a text without CR, LF and NUL.
pub fn header(template: &Template, scope: &Scope<'_>) -> Result<Option<String>, Fault> {
    let found = text(template, scope)?;
    if found.as_ref().is_some_and(|text| text.contains(['\r', '\n', '\0'])) {
        return Err(Fault {
            message: format!("`{}` holds a line break, which no header can carry", template.source),
            from_input: reads_input(template),
        });
    }
    Ok(found)
}

/// A path: each expression is one encoded segment, or part of one; empty, `.` and `..` segments
/// are refused, because URL parsers fold them away even when they are encoded.
pub fn path(template: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let mut fuel = Fuel::new();
    let mut out = String::with_capacity(template.source.len() + 32);
    for part in &template.parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expr(expr) => {
                let value = segment(template, expr, scope, &mut fuel)?;
                if value.is_empty() {
                    return Err(bad_segment(template, expr, "empty"));
                }
                write(&mut out, &value, VALUE);
            }
        }
    }
    let culprit = || {
        template.parts.iter().find_map(|part| match part {
            Part::Expr(expr) => Some(expr),
            Part::Text(_) => None,
        })
    };
    // The whole is looked at: `{{a}}.` with `.` in `a` climbs as well.
    for one in out.split('/') {
        let plain = one.replace("%2E", ".").replace("%2e", ".");
        if plain == "." || plain == ".." {
            let from_input = culprit().is_some_and(expr_reads_input);
            let message = format!(
                "a segment of `{}` would be `{plain}`, which climbs the path",
                template.source
            );
            return Err(Fault { message, from_input });
        }
    }
    Ok(out)
}

/// The text of an expression in a path or a host.
fn segment(
    template: &Template,
    expr: &Expr,
    scope: &Scope<'_>,
    fuel: &mut Fuel,
) -> Result<String, Fault> {
    let found = expr_value(expr, scope, fuel)?;
    match found.as_deref().and_then(plain_text) {
        Some(text) => Ok(text.into_owned()),
        None => Err(bad_segment(template, expr, kind(found.as_deref()))),
    }
}

fn bad_segment(template: &Template, expr: &Expr, what: &str) -> Fault {
    Fault {
        message: format!("an expression of `{}` is {what}; a path needs a text", template.source),
        from_input: expr_reads_input(expr),
    }
}

/// A base URL without trailing slash. An expression that fills the whole origin is a URL as it
/// stands; one inside the host must be made of host characters; one in the path is a segment.
pub fn base_url(template: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let mut fuel = Fuel::new();
    let mut out = String::with_capacity(template.source.len() + 32);
    for part in &template.parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expr(expr) => {
                let value = segment(template, expr, scope, &mut fuel)?;
                if out.is_empty() {
                    out.push_str(value.trim_end_matches('/'));
                } else if in_host(&out) {
                    let fits = !value.is_empty()
                        && value
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
                    if !fits {
                        let message = format!(
                            "an expression in the host of `{}` holds characters that no host has",
                            template.source
                        );
                        return Err(Fault { message, from_input: expr_reads_input(expr) });
                    }
                    out.push_str(&value);
                } else {
                    if value.is_empty() || value == "." || value == ".." {
                        return Err(bad_segment(template, expr, "no path segment"));
                    }
                    write(&mut out, &value, VALUE);
                }
            }
        }
    }
    let end = out.trim_end_matches('/').len();
    out.truncate(end);
    Ok(out)
}

/// Whether what comes next still belongs to the host.
fn in_host(before: &str) -> bool {
    before.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']))
}

/// Query parameters, encoded, without `?`. Absent ones are left out, null is a fault.
pub fn query(
    params: &[(String, Shape)],
    arrays: Arrays,
    scope: &Scope<'_>,
) -> Result<String, Fault> {
    let mut out = String::new();
    for (name, shape) in params {
        let Some(value) = evaluate(shape, scope)? else { continue };
        let mut writer = Writer { out: &mut out, arrays, space: "%20" };
        writer.member(name, &value).map_err(|mut fault| {
            if let Shape::Template(template) = shape {
                fault.from_input = reads_input(template);
            }
            fault
        })?;
    }
    Ok(out)
}

/// A form body from an object: as `query`, but a space is `+`.
pub fn form(value: &Value, arrays: Arrays) -> Result<String, Fault> {
    let Value::Object(map) = value else {
        return Err(Fault::new(format!("a form must be an object, and is {}", kind(Some(value)))));
    };
    let mut out = String::new();
    for (name, value) in map {
        Writer { out: &mut out, arrays, space: "+" }.member(name, value)?;
    }
    Ok(out)
}

struct Writer<'o> {
    out: &'o mut String,
    arrays: Arrays,
    space: &'static str,
}

impl Writer<'_> {
    /// A name with its value: objects as `a[b]`, lists by `arrays`; empty ones send nothing.
    fn member(&mut self, name: &str, value: &Value) -> Result<(), Fault> {
        match value {
            Value::Null => {
                Err(Fault::new(format!("`{name}` is null, which has no place in a query or form")))
            }
            Value::Object(map) => map
                .iter()
                .try_for_each(|(key, value)| self.member(&format!("{name}[{key}]"), value)),
            Value::Array(list) => self.list(name, list),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.pair(name, &plain_text(value).unwrap_or_default());
                Ok(())
            }
        }
    }

    fn list(&mut self, name: &str, list: &[Value]) -> Result<(), Fault> {
        match self.arrays {
            Arrays::Repeat => list.iter().try_for_each(|value| self.member(name, value)),
            Arrays::Brackets => {
                let name = format!("{name}[]");
                list.iter().try_for_each(|value| self.member(&name, value))
            }
            Arrays::Indices => list
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| self.member(&format!("{name}[{index}]"), value)),
            Arrays::Comma if list.is_empty() => Ok(()),
            Arrays::Comma => {
                let texts: Option<Vec<_>> = list.iter().map(plain_text).collect();
                let texts = texts.ok_or_else(|| {
                    Fault::new(format!("`{name}` holds more than texts and numbers"))
                })?;
                self.pair(name, &texts.join(","));
                Ok(())
            }
        }
    }

    fn pair(&mut self, name: &str, value: &str) {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        self.write(name, NAME);
        self.out.push('=');
        self.write(value, VALUE);
    }

    fn write(&mut self, text: &str, set: &'static AsciiSet) {
        for (position, piece) in text.split(' ').enumerate() {
            if position > 0 {
                self.out.push_str(self.space);
            }
            write(self.out, piece, set);
        }
    }
}

fn write(out: &mut String, text: &str, set: &'static AsciiSet) {
    // Writing to a string cannot fail.
    let _written = write!(out, "{}", utf8_percent_encode(text, set));
}
