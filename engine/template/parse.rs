//! Text → [`Template`]. The syntax is the expression part of handlebars: what is accepted here,
//! the `handlebars` crate reads the same way (a property test below holds us to it). We read it
//! ourselves because that crate's tree keeps no places and no order of named arguments, and
//! because reading happens at every start.

use crate::{
    model::template::{Part, Template},
    template::{reader::Reader, scope::Error},
};

/// Reads a template. White space around a lone expression is not part of it.
pub fn parse(text: &str) -> Result<Template, Error> {
    if !text.contains("{{") {
        return Ok(Template::text(text));
    }
    let trimmed = text.trim();
    let before = text.len() - text.trim_start().len();
    let parts = read(trimmed).map_err(|error| Error { offset: error.offset + before, ..error })?;
    if trimmed.len() == text.len() || matches!(parts.as_slice(), [Part::Expr(_)]) {
        return Ok(Template { source: trimmed.into(), parts });
    }
    Ok(Template { source: text.into(), parts: read(text)? })
}

fn read(text: &str) -> Result<Vec<Part>, Error> {
    let mut reader = Reader::new(text);
    let mut parts = Vec::new();
    let mut literal = String::new();
    while let Some((plain, _)) = reader.rest().split_once("{{") {
        let slashes = plain.len() - plain.trim_end_matches('\\').len();
        // `\{{` is two braces; more backslashes than one are one less, and an expression.
        let kept = plain.strip_suffix('\\').unwrap_or(plain);
        literal.push_str(kept);
        reader.at += plain.len();
        if slashes == 1 {
            literal.push_str("{{");
            reader.at += 2;
            continue;
        }
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Expr(reader.braces()?));
    }
    literal.push_str(reader.rest());
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}
