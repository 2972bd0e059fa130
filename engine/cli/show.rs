//! `engine show`: an integration as it is understood, each value with its origin, secrets masked.

use serde_json::Value;

use crate::{
    cli::{
        console::Console,
        report::Exit,
        terminal::{FAINT, clean, styled},
    },
    engine::Engine,
    error::Error,
    view::{Shown, ShownValue},
};

/// Prints the merged configuration of an integration.
pub fn show(console: &Console, engine: &Engine, name: &str, origin: bool) -> Result<Exit, Error> {
    let shown = match engine.show(name) {
        Ok(shown) => shown,
        // The sentence for a name that cannot be one is the same as for one that is not there.
        Err(error) => {
            console.integration(engine, name)?;
            return Err(error);
        }
    };
    if !console.for_programs() {
        let mut out = String::new();
        yaml(&mut out, &shown, Line { depth: 0, origin });
        console.terminal.out(&out);
    } else if origin {
        console.show(&shown.origins());
    } else {
        console.show(&shown);
    }
    if let Err(wrong) = console.integration(engine, name)
        && wrong.diagnostics().is_some()
    {
        console.warn(&[format!("it cannot be used: {wrong}; `engine check` shows where")]);
    }
    Ok(Exit::Done)
}

/// Where the writer of YAML stands.
#[derive(Clone, Copy)]
struct Line {
    depth: usize,
    origin: bool,
}

/// Writes the entries of an object or the elements of a list, one line each and deeper ones below.
fn yaml(out: &mut String, shown: &Shown, at: Line) {
    match &shown.value {
        ShownValue::Map(entries) => {
            for (key, shown) in entries {
                indent(out, at.depth);
                out.push_str(&scalar(key));
                out.push(':');
                below(out, shown, at);
            }
        }
        ShownValue::List(items) => {
            for item in items {
                indent(out, at.depth);
                out.push('-');
                below(out, item, at);
            }
        }
        ShownValue::Scalar(value) => {
            out.push_str(&leaf(value));
            out.push('\n');
        }
    }
}

/// What follows a key or a dash.
fn below(out: &mut String, shown: &Shown, at: Line) {
    let text = match &shown.value {
        ShownValue::Map(entries) if entries.is_empty() => "{}".to_owned(),
        ShownValue::List(items) if items.is_empty() => "[]".to_owned(),
        ShownValue::Map(_) | ShownValue::List(_) => {
            out.push('\n');
            return yaml(out, shown, Line { depth: at.depth + 1, ..at });
        }
        ShownValue::Scalar(value) => match block(value) {
            None => leaf(value),
            Some((mark, lines)) => {
                let mut text = mark.to_owned();
                for line in lines {
                    text.push('\n');
                    indent(&mut text, if line.is_empty() { 0 } else { at.depth + 1 });
                    text.push_str(line);
                }
                text
            }
        },
    };
    let (first, rest) = text.split_once('\n').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    out.push(' ');
    out.push_str(first);
    if at.origin {
        out.push_str(&styled(FAINT, &clean(&format!("  # {}", shown.origin()))));
    }
    out.push('\n');
    if let Some(rest) = rest {
        out.push_str(rest);
        out.push('\n');
    }
}

fn indent(out: &mut String, depth: usize) {
    out.push_str(&"  ".repeat(depth));
}

/// The lines of a longer text, and how YAML announces them; `None` where they would read back as
/// something else.
fn block(value: &Value) -> Option<(&'static str, std::str::Lines<'_>)> {
    let text = value.as_str()?;
    let (mark, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let plain = body.contains('\n')
        && clean(body) == body
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && !body.contains('\t');
    plain.then(|| (mark, body.lines()))
}

fn leaf(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), scalar)
}

/// A text as a YAML scalar: plain where it cannot be read as anything else.
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

    use serde_json::json;

    use super::*;
    use crate::{
        catalog::tree::{Key, Kind, Node, Origin, Source},
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
        yaml(&mut out, &Shown::new(&tree(), ""), Line { depth: 0, origin: false });
        assert_eq!(
            out,
            "extends_blueprint: acme:v0\n\
             oauth_client_secret: \"${SECRET}\"\n\
             app_api_key: \"***\"\n\
             requests:\n  headers:\n    authorization: \"Bearer {{credentials.access_token}}\"\n    x-api-key: \"***\"\n\
             oauth_scopes:\n  - a\n  - \"yes\"\nlimits: []\n"
        );
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
                yaml(&mut out, &Shown::new(&tree, ""), Line { depth: 0, origin });
                let out = out.replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
                let read: Value = serde_yaml::from_str(&out).expect(&out);
                assert_eq!(read, json!({"deep": [written, {"deep": written}]}), "{out}");
            }
        }
    }
}
