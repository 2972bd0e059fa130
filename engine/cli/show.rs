//! `engine show`: an integration as it is understood, each value with its origin, secrets masked.

use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        self,
        tree::{Kind, Node, Source},
    },
    cli::{
        context::{self, Cx},
        report::Exit,
        terminal::{FAINT, clean, styled},
    },
    engine::Engine,
    error::Error,
};

/// What stands in place of a secret.
const MASK: &str = "***";

/// Prints the merged configuration of an integration.
pub fn show(cx: &Cx, engine: &Engine, name: &str, origin: bool) -> Result<Exit, Error> {
    let found = engine.catalog().show(name);
    let node = match found {
        Ok(node) => node,
        // The sentence for a name that cannot be one is the same as for one that is not there.
        Err(error) => {
            context::integration(cx, engine, name)?;
            return Err(error.into());
        }
    };
    if !cx.for_programs() {
        let mut out = String::new();
        yaml(&mut out, &node, &mut Line { depth: 0, origin, key: name });
        cx.terminal.out(&out);
    } else if origin {
        let mut rows = Vec::new();
        origins(&mut rows, &node, name, "");
        cx.print(&Value::Array(rows));
    } else {
        cx.print(&shown(&node, name));
    }
    if let Err(Error::Catalog(wrong @ catalog::Error::Invalid(_))) =
        context::integration(cx, engine, name)
    {
        let message = format!("it cannot be used: {wrong}; `engine check` shows where");
        cx.warn(&[message]);
    }
    Ok(Exit::Done)
}

/// The value as JSON that may be seen; `key` is what it is called.
fn shown(node: &Node, key: &str) -> Value {
    match &node.kind {
        Kind::List(items) => items.iter().map(|item| shown(item, key)).collect(),
        Kind::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, node)| (String::from(&*key.name), shown(node, &key.name)))
                .collect::<Map<_, _>>(),
        ),
        Kind::String(_) if is_secret(node, key) => MASK.into(),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => node.to_shown_json(),
    }
}

/// Whether a text that stands in a file, in the clear, is probably a secret. What comes from the
/// environment is shown as `${NAME}` anyway, and templates hold no secrets.
fn is_secret(node: &Node, key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let named = ["secret", "password", "passwd", "api_key", "apikey", "private_key", "token"];
    let secret = named.iter().any(|name| key.ends_with(name)) || key == "authorization";
    let plain = |text: &str| !text.is_empty() && !text.contains("{{");
    secret && node.origin.is_none() && node.as_str().is_some_and(plain)
}

/// One row a value: `{path, value, from}`.
fn origins(rows: &mut Vec<Value>, node: &Node, key: &str, path: &str) {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match &node.kind {
        Kind::Map(entries) if !entries.is_empty() => {
            for (key, node) in entries {
                origins(rows, node, &key.name, &below(&key.name));
            }
        }
        Kind::List(items) if !items.is_empty() => {
            for (index, node) in items.iter().enumerate() {
                origins(rows, node, key, &below(&index.to_string()));
            }
        }
        Kind::Null
        | Kind::Bool(_)
        | Kind::Number(_)
        | Kind::String(_)
        | Kind::Map(_)
        | Kind::List(_) => {
            rows.push(json!({"path": path, "value": shown(node, key), "from": from(node)}));
        }
    }
}

/// `integrations.yaml:3:5`, and the variables or files that were named there.
fn from(node: &Node) -> String {
    let sources =
        node.origin.iter().flat_map(|origin| &origin.sources).map(|source| match source {
            Source::Variable(name) => format!("${name}"),
            Source::Default(name) => format!("default of ${name}"),
            Source::File(path) => format!("file {path}"),
            Source::Missing(name) => format!("${name} is missing"),
        });
    std::iter::once(node.place.to_string()).chain(sources).collect::<Vec<_>>().join(", ")
}

/// Where the writer of YAML stands.
struct Line<'a> {
    depth: usize,
    origin: bool,
    key: &'a str,
}

/// Writes the entries of an object or the elements of a list, one line each and deeper ones below.
fn yaml(out: &mut String, node: &Node, at: &mut Line<'_>) {
    match &node.kind {
        Kind::Map(entries) => {
            for (key, node) in entries {
                indent(out, at.depth);
                out.push_str(&scalar(&key.name));
                out.push(':');
                below(out, node, &Line { depth: at.depth, origin: at.origin, key: &key.name });
            }
        }
        Kind::List(items) => {
            for item in items {
                indent(out, at.depth);
                out.push('-');
                below(out, item, at);
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
            out.push_str(&leaf(node, at.key));
            out.push('\n');
        }
    }
}

/// What follows a key or a dash.
fn below(out: &mut String, node: &Node, at: &Line<'_>) {
    if node.entries().is_empty() && node.items().is_empty() {
        let lines = block(node, at.key);
        out.push(' ');
        match &lines {
            Some((mark, _)) => out.push_str(mark),
            None => out.push_str(&leaf(node, at.key)),
        }
        if at.origin {
            out.push_str(&styled(FAINT, &clean(&format!("  # {}", from(node)))));
        }
        out.push('\n');
        for line in lines.into_iter().flat_map(|(_, lines)| lines) {
            indent(out, if line.is_empty() { 0 } else { at.depth + 1 });
            out.push_str(&line);
            out.push('\n');
        }
    } else {
        out.push('\n');
        yaml(out, node, &mut Line { depth: at.depth + 1, origin: at.origin, key: at.key });
    }
}

fn indent(out: &mut String, depth: usize) {
    out.push_str(&"  ".repeat(depth));
}

/// The lines of a longer text, and how YAML announces them; `None` where they would read back as
/// something else.
fn block(node: &Node, key: &str) -> Option<(&'static str, Vec<String>)> {
    let shown = shown(node, key);
    let text = shown.as_str()?;
    let (mark, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let plain = body.contains('\n')
        && clean(body) == body
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && !body.contains('\t');
    plain.then(|| (mark, body.lines().map(str::to_owned).collect()))
}

fn leaf(node: &Node, key: &str) -> String {
    let shown = shown(node, key);
    shown.as_str().map_or_else(|| shown.to_string(), scalar)
}

/// A text as a YAML scalar: plain where nobody could take it for anything else.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./$@ ".contains(c) || c == ':';
    let safe = text.starts_with(|c: char| c.is_alphabetic() || "_/$".contains(c))
        && text.chars().all(plain)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if safe { text.to_owned() } else { clean(&Value::from(text).to_string()).into_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        catalog::tree::{Key, Origin},
        diagnostic::{Place, SourceFile},
    };

    fn place() -> Place {
        let file = SourceFile { name: "integrations.yaml".into(), text: "x: 1\n".into() };
        Place { file: Arc::new(file), span: 0..1 }
    }

    fn node(kind: Kind) -> Arc<Node> {
        Arc::new(Node { kind, place: place(), origin: None })
    }

    fn text(text: &str) -> Arc<Node> {
        node(Kind::String(text.into()))
    }

    fn tree() -> Arc<Node> {
        let origin = Origin {
            written: "${SECRET}".into(),
            sources: vec![Source::Variable("SECRET".into())],
            inserted: Vec::new(),
        };
        let hidden = Node {
            kind: Kind::String("MARKED".into()),
            place: place(),
            origin: Some(Arc::new(origin)),
        };
        let map = |entries: Vec<(&str, Arc<Node>)>| {
            let key = |name: &str| Key { name: name.into(), place: place() };
            node(Kind::Map(entries.into_iter().map(|(name, node)| (key(name), node)).collect()))
        };
        map(vec![
            ("extends_blueprint", text("acme:v0")),
            ("oauth_client_secret", Arc::new(hidden)),
            ("app_api_key", text("MARKED")),
            (
                "requests",
                map(vec![(
                    "headers",
                    map(vec![
                        ("authorization", text("Bearer {{credentials.access_token}}")),
                        ("x-api-key", text("MARKED")),
                    ]),
                )]),
            ),
            ("oauth_scopes", node(Kind::List(vec![text("a"), text("yes")]))),
            ("limits", node(Kind::List(Vec::new()))),
        ])
    }

    #[test]
    fn shown_without_secrets() {
        let mut out = String::new();
        yaml(&mut out, &tree(), &mut Line { depth: 0, origin: false, key: "" });
        assert_eq!(
            out,
            "extends_blueprint: acme:v0\n\
             oauth_client_secret: \"${SECRET}\"\n\
             app_api_key: \"***\"\n\
             requests:\n  headers:\n    authorization: \"Bearer {{credentials.access_token}}\"\n    x-api-key: \"***\"\n\
             oauth_scopes:\n  - a\n  - \"yes\"\nlimits: []\n"
        );
        assert!(!shown(&tree(), "").to_string().contains("MARKED"));
    }

    #[test]
    fn what_is_shown_reads_back_as_it_was() {
        for written in [
            "one",
            "two\nlines",
            "ends\n",
            "ends twice\n\n",
            "\nbegins",
            "  deep\nless",
            "a\n\nb\n",
            "a\n  deeper\n   \nb",
            "tab\tbed\nb",
            "x: y\n# z\n- a\n",
            "\u{7}\nbell",
            "\n",
            "",
            "a \nb ",
        ] {
            let key = Key { name: "deep".into(), place: place() };
            let inner = node(Kind::Map(vec![(key.clone(), text(written))]));
            let list = node(Kind::List(vec![text(written), inner]));
            let tree = node(Kind::Map(vec![(key, list)]));
            for origin in [false, true] {
                let mut out = String::new();
                yaml(&mut out, &tree, &mut Line { depth: 0, origin, key: "" });
                let out = out.replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
                let read: Value = serde_yaml::from_str(&out).expect(&out);
                assert_eq!(read, json!({"deep": [written, {"deep": written}]}), "{out}");
            }
        }
    }

    #[test]
    fn each_value_says_where_it_came_from() {
        let mut rows = Vec::new();
        origins(&mut rows, &tree(), "", "");
        let all = Value::Array(rows);
        assert!(!all.to_string().contains("MARKED"), "{all}");
        assert_eq!(
            all[1],
            json!({"path": "oauth_client_secret", "value": "${SECRET}", "from": "integrations.yaml:1:1, $SECRET"})
        );
        assert_eq!(all[5]["path"], "oauth_scopes.0");
        let mut out = String::new();
        yaml(&mut out, &tree(), &mut Line { depth: 0, origin: true, key: "" });
        assert!(out.contains("# integrations.yaml:1:1, $SECRET"), "{out}");
    }
}
