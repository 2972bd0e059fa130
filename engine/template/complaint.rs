//! The sentences of the reader of templates: what is wrong, and what to write instead.

use crate::{
    diagnostic::suggest,
    template::{
        functions::{self, Function, MANY, Named},
        scope::Error,
    },
};

/// What handlebars has and we do not, by the character after `{{`.
pub fn foreign(c: char) -> Option<(&'static str, &'static str)> {
    Some(match c {
        '{' => ("`{{{` is not part of this language", "write `{{`: values are never escaped"),
        '&' => ("`{{&` is not part of this language", "write `{{`: values are never escaped"),
        '#' | '^' | '/' => (
            "blocks are not part of this language",
            "use `{{if condition a b}}`, `$map` for lists, or `if:` on a step",
        ),
        '>' => ("partials are not part of this language", "write the value in place"),
        '*' => ("decorators are not part of this language", "write the value in place"),
        '!' => ("comments are not part of templates", "write a YAML comment: `# …`"),
        '~' => ("`~` is not part of this language", "white space of text is kept; leave `~` out"),
        _ => return None,
    })
}

/// A root's name; some names of handlebars are none.
pub fn root(at: usize, name: &str) -> Result<String, Error> {
    match name {
        "this" => Err(error(
            (at, 4),
            "`this` is not part of this language",
            "name the value from its root, such as `item`",
        )),
        "else" | "as" => Err(error(
            (at, name.len()),
            &format!("`{name}` is not part of this language"),
            "use `{{if condition a b}}`",
        )),
        "true" | "false" | "null" => Err(error(
            (at, name.len()),
            &format!("`{name}` has no members"),
            "a path begins with a root such as `input`",
        )),
        _ if name.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            Err(error((at, name.len()), "a path begins with a name", "such as `input.x`"))
        }
        _ => Ok(name.to_owned()),
    }
}

/// Refuses a named argument that the function does not have.
pub fn known_argument(function: &Function, (at, name): (usize, &str)) -> Result<(), Error> {
    match function.named {
        Named::Any => Ok(()),
        Named::Only(names) if names.contains(&name) => Ok(()),
        Named::Only(names) => Err(Error {
            message: format!("`{}` has no argument `{name}=`", function.name),
            offset: at,
            len: name.len(),
            hint: suggest(name, names.iter().copied()),
        }),
    }
}

/// No function has that name.
pub fn unknown_helper(at: usize, name: &str) -> Error {
    let names = functions::ALL.iter().map(|function| function.name);
    Error {
        message: format!("there is no helper `{name}`"),
        offset: at,
        len: name.len().max(1),
        hint: suggest(name, names)
            .or_else(|| Some("docs/reference/helpers.md lists them".to_owned())),
    }
}

/// Too few or too many arguments.
pub fn arity(function: &Function, found: usize, (at, len): (usize, usize)) -> Error {
    let Function { name, min, max, .. } = function;
    let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
    let wanted = match (*min, *max) {
        (0, 0) => "no positional arguments".to_owned(),
        (min, MANY) => format!("at least {min} {}", plural(min)),
        (min, max) if min == max => format!("{min} {}", plural(min)),
        (min, max) => format!("{min} to {max} arguments"),
    };
    let message = format!("`{name}` takes {wanted}, not {found}");
    error((at, len), &message, &format!("such as `{}`", function.example))
}

/// A literal that is the whole expression.
pub fn bare_literal(place: (usize, usize)) -> Error {
    error(place, "a literal needs no braces", "write the value itself")
}

/// Braces that are never closed.
pub fn unclosed(start: usize) -> Error {
    error(
        (start, 2),
        "`{{` without `}}`",
        "close the expression; for two literal braces write `\\{{`",
    )
}

/// An error at `(offset, len)`.
pub fn error((offset, len): (usize, usize), message: &str, hint: &str) -> Error {
    Error { message: message.to_owned(), offset, len: len.max(1), hint: Some(hint.to_owned()) }
}

/// A character in a message.
pub fn shown(c: char) -> String {
    if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
}
