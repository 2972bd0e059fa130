//! Where a value goes decides its encoding: path, base URL, query, form, header.

use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::{
    model::{
        blueprint::Arrays,
        template::{Expr, Shape, Template},
    },
    template::{
        describe::{reads_input, shown, template_reads_input},
        evaluate::{self, Piece},
        functions::{
            args::{kind, text_of},
            encode::RESERVED,
        },
        scope::{Fault, Scope},
        shape,
    },
};

/// In names of query and form, `$ [ ]` stay as they are.
const NAME: &AsciiSet = &RESERVED.remove(b'$').remove(b'[').remove(b']');
/// Names within names; deeper values are refused.
const MAX_DEPTH: usize = 16;

/// A header value: text without CR, LF and NUL; `None` is absent.
pub fn header(t: &Template, scope: &Scope<'_>) -> Result<Option<String>, Fault> {
    let text = evaluate::text(t, scope)?;
    if text.as_ref().is_some_and(|text| text.contains(['\r', '\n', '\0'])) {
        return Err(Fault {
            message: format!("`{}` has a line break in a header", shown(&t.source)),
            from_input: template_reads_input(t),
        });
    }
    Ok(text)
}

/// A path: each expression is one encoded segment; empty, `.` and `..` refused, for URL readers
/// fold such segments even when they are encoded.
pub fn path(t: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let mut path = String::new();
    let mut from_input = false;
    evaluate::pieces(t, scope, |piece| match piece {
        Piece::Text(text) => {
            path.push_str(text);
            Ok(())
        }
        Piece::Value { text, expr } => {
            from_input |= reads_input(expr);
            segment(&mut path, (text, expr), t)
        }
    })?;
    let bad = |message: &str| {
        Err(Fault { message: format!("`{}` {message}", shown(&t.source)), from_input })
    };
    if path.contains(['?', '#', '\\']) {
        return bad("has a `?`, `#` or `\\` in its text; `query` holds parameters");
    }
    if path.split('/').any(is_dots) {
        return bad("has a segment `.` or `..`");
    }
    Ok(path)
}

/// A base URL without a trailing slash. An expression that begins it is a whole URL, one inside
/// the host must be made of host characters, one in the path is a segment.
pub fn base_url(t: &Template, scope: &Scope<'_>) -> Result<String, Fault> {
    let mut base = String::new();
    let fault = |message: &str| Fault {
        message: format!("`{}` {message}", shown(&t.source)),
        from_input: false,
    };
    evaluate::pieces(t, scope, |piece| match piece {
        Piece::Text(text) => {
            base.push_str(text);
            Ok(())
        }
        Piece::Value { text, .. } if base.is_empty() => {
            if !is_origin(text) {
                return Err(fault("must begin with an http or https URL without `?`, `#` or user"));
            }
            base.push_str(text.trim_end_matches('/'));
            Ok(())
        }
        Piece::Value { text, expr } if base_has_path(&base) => segment(&mut base, (text, expr), t),
        Piece::Value { text, .. } => {
            let host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
            if !base.contains("://") || text.is_empty() || !text.bytes().all(host) {
                return Err(fault("has something in its host that is no part of a host name"));
            }
            base.push_str(text);
            Ok(())
        }
    })?;
    if !is_origin(&base) || base.split('/').skip(3).any(is_dots) {
        return Err(fault("is no http or https URL, or has a `?`, `#` or user in it"));
    }
    Ok(base.strip_suffix('/').map(str::to_owned).unwrap_or(base))
}

/// Query parameters, encoded, without `?`. Absent ones are left out, null is a fault.
pub fn query(
    params: &[(String, Shape)],
    arrays: Arrays,
    scope: &Scope<'_>,
) -> Result<String, Fault> {
    let mut pairs = Pairs { out: String::new(), arrays };
    for (name, shape) in params {
        if let Some(value) = shape::borrowed(shape, scope)? {
            pairs.add(&encoded(name, NAME), &value, 0).map_err(|message| Fault {
                message: format!("query parameter `{name}` {message}"),
                from_input: shape_reads_input(shape),
            })?;
        }
    }
    Ok(pairs.out)
}

/// A form body from a value that is an object: as [`query`], but a space is `+`.
pub fn form(value: &Value, arrays: Arrays) -> Result<String, Fault> {
    let fault = |message: String| Fault { message, from_input: false };
    let Value::Object(members) = value else {
        return Err(fault(format!("a form must be an object, not {}", kind(value))));
    };
    let mut pairs = Pairs { out: String::new(), arrays };
    for (name, value) in members {
        pairs
            .add(&encoded(name, NAME), value, 0)
            .map_err(|message| fault(format!("form field `{name}` {message}")))?;
    }
    // A literal `%` is written `%25`, so each `%20` was a space.
    Ok(pairs.out.replace("%20", "+"))
}

/// Adds one encoded path segment.
fn segment(path: &mut String, (text, expr): (&str, &Expr), t: &Template) -> Result<(), Fault> {
    if text.is_empty() || is_dots(text) {
        let what = if text.is_empty() { "an empty text" } else { "`.` or `..`" };
        return Err(Fault {
            message: format!("{what} cannot be a path segment, in `{}`", shown(&t.source)),
            from_input: reads_input(expr),
        });
    }
    path.extend(utf8_percent_encode(text, RESERVED));
    Ok(())
}

/// `.` and `..`, also in the encoded spellings that URL readers fold.
fn is_dots(segment: &str) -> bool {
    matches!(segment.len(), 1..=6)
        && matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// Whether what is there has reached its path.
fn base_has_path(base: &str) -> bool {
    base.split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
}

fn is_origin(text: &str) -> bool {
    let plain =
        !text.contains(['?', '#', '\\', '@']) && text.bytes().all(|b| b > b' ' && b != 0x7f);
    let http = text.starts_with("https://") || text.starts_with("http://");
    plain && http && Url::parse(text).is_ok_and(|url| url.host_str().is_some_and(|h| !h.is_empty()))
}

fn shape_reads_input(shape: &Shape) -> bool {
    match shape {
        Shape::Literal(_) => false,
        Shape::Template(template) => template_reads_input(template),
        Shape::Object(members) => members.iter().any(|(_, shape)| shape_reads_input(shape)),
        Shape::List(shapes) => shapes.iter().any(shape_reads_input),
        Shape::Map(map) => template_reads_input(&map.list) || shape_reads_input(&map.to),
    }
}

/// Pairs of names and values.
struct Pairs {
    out: String,
    arrays: Arrays,
}

impl Pairs {
    /// Adds a value under an encoded name.
    fn add(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("is nested more than 16 deep".to_owned());
        }
        match value {
            Value::Object(members) => members.iter().try_for_each(|(member, value)| {
                self.add(&format!("{name}[{}]", encoded(member, NAME)), value, depth + 1)
            }),
            Value::Array(list) if self.arrays == Arrays::Comma => self.commas(name, list),
            Value::Array(list) => list.iter().enumerate().try_for_each(|(i, value)| {
                let name = match self.arrays {
                    Arrays::Repeat | Arrays::Comma => name.to_owned(),
                    Arrays::Brackets => format!("{name}[]"),
                    Arrays::Indices => format!("{name}[{i}]"),
                };
                self.add(&name, value, depth + 1)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let text = text_of(value).ok_or("is null where text is needed")?;
                self.pair(name, &encoded(&text, RESERVED));
                Ok(())
            }
        }
    }

    /// `a=1,2`: the commas between the values are not encoded, those within are.
    fn commas(&mut self, name: &str, list: &[Value]) -> Result<(), String> {
        let mut values = Vec::with_capacity(list.len());
        for value in list {
            let text = text_of(value);
            let text = text.ok_or_else(|| format!("has {} in a list with commas", kind(value)))?;
            values.push(encoded(&text, RESERVED));
        }
        if !values.is_empty() {
            self.pair(name, &values.join(","));
        }
        Ok(())
    }

    fn pair(&mut self, name: &str, value: &str) {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        self.out.push_str(name);
        self.out.push('=');
        self.out.push_str(value);
    }
}

fn encoded(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}
