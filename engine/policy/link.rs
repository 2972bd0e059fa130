//! The `Link` header (RFC 8288, section 3): a list; commas and semicolons may stand in quotes.

use crate::model::http::{Fields, HeaderMap};

/// The target of the first link with this relation, as it stands (it may be relative). Single
/// quotes, which the grammar does not know and some APIs write, are taken as quotes of a relation.
pub fn target(headers: &HeaderMap, rel: &str) -> Option<String> {
    headers.texts("link").find_map(|field| find(&field, rel))
}

fn find(field: &str, rel: &str) -> Option<String> {
    let mut rest = field;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let (parameters, next) = split_unquoted(after, ',');
        if relations(parameters).any(|found| found.eq_ignore_ascii_case(rel)) {
            return Some(target.trim().to_owned());
        }
        rest = next;
    }
    None
}

/// The relations of one link: `rel="next last"`.
fn relations(parameters: &str) -> impl Iterator<Item = &str> {
    let mut rest = parameters;
    let rel = std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (one, next) = split_unquoted(rest, ';');
        rest = next;
        Some(one)
    })
    .find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches(['"', '\'']))
    });
    rel.unwrap_or("").split_ascii_whitespace()
}

/// Splits at the first `separator` outside of double quotes.
fn split_unquoted(text: &str, separator: char) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                return text.split_at_checked(at).map_or((text, ""), |(one, rest)| {
                    (one, rest.get(c.len_utf8()..).unwrap_or(""))
                });
            }
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_quotes_and_several_relations() {
        for (field, expected) in [
            ("<https://a/1>; rel=\"next\", <https://a/9>; rel=\"last\"", Some("https://a/1")),
            (
                "<https://a/9>; rel=\"last\", <https://a/1>; title=\"a, <b>; c\"; rel=\"prev next\"",
                Some("https://a/1"),
            ),
            ("</x?a=1,2>; REL=Next", Some("/x?a=1,2")),
            ("<https://a/1>; rel=\"previous\"", None),
            ("<https://a/1>; title=\"rel=next\"", None),
            ("<https://a/1>; rel='next', <https://a/9>; rel='last'", Some("https://a/1")),
            ("</home>, <https://a/1>; rel=\"next\"", Some("https://a/1")),
            ("<https://a/9>;rel=stylesheet;title, <https://a/1>;rel=\"next\"", Some("https://a/1")),
            ("garbage", None),
            ("<unclosed; rel=next", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("link", field.parse().unwrap());
            assert_eq!(target(&headers, "next").as_deref(), expected, "{field}");
        }
    }
}
