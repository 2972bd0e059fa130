//! Who decides the host of a URL: a value that the owner of a connection gives may stand in it only
//! behind an anchored pattern (threat T28). Settings of the operator need none.

use serde_json::Value;

use crate::{
    catalog::{format::symbols::Names, tree::Node},
    diagnostic::Diagnostics,
    model::template::{Expr, Part, Path, Template},
};

/// Tells values of connections and credentials that could choose the host of this URL.
pub fn check(url: &Template, (node, names): (&Node, &Names), found: &mut Diagnostics) {
    if let Some(Part::Text(text)) = url.parts.first()
        && !["https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
    {
        let message = "a URL begins with `https://`";
        found.error("file.bad-value", message).at(&node.place);
    }
    for path in in_host(url) {
        let (schema, shown) = match path.root.as_str() {
            "connection" => (&names.connection_schema, "the `connection` schema"),
            "credentials" => (&names.credentials_schema, "`auth.credentials`"),
            _ => continue,
        };
        let name = path.segments.first().map_or("", String::as_str);
        let property = schema.get("properties").and_then(|all| all.get(name));
        if path.segments.len() == 1 && property.is_some_and(is_bounded) {
            continue;
        }
        let root = &path.root;
        let message = format!("`{root}.{name}` stands in a host and has no anchored `pattern`");
        let hint = format!("give it one in {shown}: `pattern: '^[a-z0-9][a-z0-9-]*$'`");
        let place = node.place_within(path.offset, root.len());
        found.error("file.unsafe-host", message).at(&place).hint(hint);
    }
}

/// The paths that the host, or the whole origin, is made of.
fn in_host(url: &Template) -> Vec<&Path> {
    let mut found = Vec::new();
    let mut before = String::new();
    let mut parts = url.parts.iter().peekable();
    while let Some(part) = parts.next() {
        let expr = match part {
            Part::Text(text) => {
                before.push_str(text);
                continue;
            }
            Part::Expr(expr) => expr,
        };
        let authority = before.split_once("://").map(|(_, rest)| rest);
        if authority.is_none_or(|rest| !rest.contains(['/', '?', '#', '\\'])) {
            paths(expr, &mut found);
        }
        let scheme = matches!(parts.peek(), Some(Part::Text(text)) if text.starts_with("://"));
        // What a URL begins with is its scheme or its whole origin.
        before.push_str(if before.is_empty() && !scheme { "https://x" } else { "x" });
    }
    found
}

fn paths<'t>(expr: &'t Expr, found: &mut Vec<&'t Path>) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Path(path) => found.push(path),
        Expr::Call(call) => {
            let named = call.named.iter().map(|(_, arg)| arg);
            call.args.iter().chain(named).for_each(|arg| paths(arg, found));
        }
    }
}

/// Whether a schema admits only what its author wrote down.
fn is_bounded(schema: &Value) -> bool {
    let listed = schema.get("enum").is_some() || schema.get("const").is_some();
    listed || schema.get("pattern").and_then(Value::as_str).is_some_and(is_anchored)
}

/// Whether a pattern is anchored as a whole; `^a|b$` is not, and `^a\$` neither.
fn is_anchored(pattern: &str) -> bool {
    let Some(inner) = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')) else {
        return false;
    };
    let (mut groups, mut in_class, mut escaped) = (0_u32, false, false);
    for c in inner.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => groups += 1,
            ')' if !in_class => groups = groups.saturating_sub(1),
            '|' if !in_class && groups == 0 => return false,
            _ => {}
        }
    }
    !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_that_bind_both_ends_are_anchored() {
        for (pattern, expected) in [
            ("^[a-z0-9][a-z0-9-]*$", true),
            (r"^https://[a-z-]+(\.[a-z-]+)*\.salesforce\.com$", true),
            ("^(eu|us)$", true),
            ("^[|a]$", true),
            (r"^a\|b$", true),
            ("[a-z]+", false),
            ("^[a-z]+", false),
            ("^a|b$", false),
            ("^(a)|.*$", false),
            (r"^a\$", false),
            ("$", false),
        ] {
            assert_eq!(is_anchored(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn hosts_end_where_paths_begin() {
        for (url, expected) in [
            ("https://{{connection.shop}}.x.test/{{connection.a}}", vec!["shop"]),
            ("{{connection.origin}}/v1/{{connection.a}}", vec!["origin"]),
            (
                "{{connection.scheme}}://{{connection.host}}/{{connection.a}}",
                vec!["scheme", "host"],
            ),
            ("https://x.test:{{connection.port}}?a={{connection.a}}", vec!["port"]),
            ("https://{{lower connection.shop}}.x.test", vec!["shop"]),
            ("https://x.test/{{connection.a}}", vec![]),
        ] {
            let template = crate::template::parse(url).unwrap();
            let found: Vec<&str> =
                in_host(&template).iter().map(|path| path.segments[0].as_str()).collect();
            assert_eq!(found, expected, "{url}");
        }
    }
}
