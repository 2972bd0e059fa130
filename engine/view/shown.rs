//! An integration as it is understood: the merged configuration, secrets masked, each value with
//! its origin.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    catalog::tree::{Kind, Node, Source},
    diagnostic::Place,
    model::secret::MASK,
};

/// A value, and where it came from. Serialises as the value.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The value.
    pub value: ShownValue,
    place: Place,
    sources: Vec<String>,
}

/// A value that may be seen.
#[derive(Debug, Clone)]
pub enum ShownValue {
    /// Neither a list nor an object.
    Scalar(Value),
    /// A list.
    List(Vec<Shown>),
    /// An object, in its order.
    Map(Vec<(String, Shown)>),
}

/// A value of the configuration as a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Origin {
    /// `requests.headers.accept`
    pub path: String,
    /// The value.
    pub value: Value,
    /// `integrations.yaml:3:5`, and the variables or files that were named there.
    pub from: String,
}

impl Shown {
    /// Masks a tree; `key` is what it is called.
    pub fn new(node: &Node, key: &str) -> Self {
        let value = match &node.kind {
            Kind::List(items) => {
                ShownValue::List(items.iter().map(|item| Self::new(item, key)).collect())
            }
            Kind::Map(entries) => ShownValue::Map(
                entries
                    .iter()
                    .map(|(key, node)| (key.name.to_string(), Self::new(node, &key.name)))
                    .collect(),
            ),
            Kind::String(_) if is_secret(node, key) => ShownValue::Scalar(MASK.into()),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
                ShownValue::Scalar(node.to_shown_json())
            }
        };
        let sources = node.origin.iter().flat_map(|origin| &origin.sources).map(source);
        Self { value, place: node.place.clone(), sources: sources.collect() }
    }

    /// Where it came from.
    pub fn origin(&self) -> String {
        let place = self.place.to_string();
        std::iter::once(&place)
            .chain(&self.sources)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// One row a value.
    pub fn origins(&self) -> Vec<Origin> {
        let mut rows = Vec::new();
        self.rows(String::new(), &mut rows);
        rows
    }

    fn rows(&self, path: String, rows: &mut Vec<Origin>) {
        let below =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match &self.value {
            ShownValue::Map(entries) if !entries.is_empty() => {
                for (name, shown) in entries {
                    shown.rows(below(name), rows);
                }
            }
            ShownValue::List(items) if !items.is_empty() => {
                for (index, shown) in items.iter().enumerate() {
                    shown.rows(below(&index.to_string()), rows);
                }
            }
            ShownValue::Scalar(value) => {
                rows.push(Origin { path, value: value.clone(), from: self.origin() });
            }
            ShownValue::Map(_) => {
                rows.push(Origin { path, value: Value::Object(Map::new()), from: self.origin() });
            }
            ShownValue::List(_) => {
                rows.push(Origin { path, value: Value::Array(Vec::new()), from: self.origin() });
            }
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            ShownValue::Scalar(value) => value.serialize(to),
            ShownValue::List(items) => to.collect_seq(items),
            ShownValue::Map(entries) => to.collect_map(entries.iter().map(|(k, v)| (k, v))),
        }
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Variable(name) => format!("${name}"),
        Source::Default(name) => format!("default of ${name}"),
        Source::File(path) => format!("file {path}"),
        Source::Missing(name) => format!("${name} is missing"),
    }
}

/// Whether a text that stands in a file, in the clear, is probably a secret. What comes from the
/// environment is shown as `${NAME}` anyway, and templates hold no secrets.
fn is_secret(node: &Node, key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let named = ["secret", "password", "passwd", "api_key", "apikey", "private_key", "token"];
    let user = key == "proxy" && node.as_str().is_some_and(|url| url.contains('@'));
    let secret = named.iter().any(|name| key.ends_with(name)) || key == "authorization" || user;
    let plain = |text: &str| !text.is_empty() && !text.contains("{{");
    secret && node.origin.is_none() && node.as_str().is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        catalog::tree::{self, Key},
        diagnostic::SourceFile,
    };

    fn node(kind: Kind) -> Node {
        let file = SourceFile { name: "integrations.yaml".into(), text: "x: 1\n".into() };
        Node { kind, place: Place { file: Arc::new(file), span: 0..1 }, origin: None }
    }

    fn entries(entries: Vec<(&str, Node)>) -> Node {
        let place = node(Kind::Null).place;
        let key = |name: &str| Key { name: name.into(), place: place.clone() };
        let entries = entries.into_iter().map(|(name, node)| (key(name), Arc::new(node)));
        node(Kind::Map(entries.collect()))
    }

    #[test]
    fn secrets_are_masked_and_each_value_says_where_it_came_from() {
        let text = |text: &str| node(Kind::String(text.into()));
        let origin = tree::Origin {
            written: "${SECRET}".into(),
            sources: vec![Source::Variable("SECRET".into())],
            inserted: Vec::new(),
        };
        let tree = entries(vec![
            ("oauth_client_secret", Node { origin: Some(Arc::new(origin)), ..text("MARKED") }),
            ("app_api_key", text("MARKED")),
            (
                "headers",
                entries(vec![
                    ("authorization", text("Bearer {{credentials.access_token}}")),
                    ("x-api-key", text("MARKED")),
                ]),
            ),
            ("oauth_scopes", node(Kind::List(vec![Arc::new(text("a"))]))),
            ("limits", node(Kind::List(Vec::new()))),
        ]);
        let shown = Shown::new(&tree, "");
        assert_eq!(
            serde_json::to_value(&shown).unwrap(),
            json!({
                "oauth_client_secret": "${SECRET}",
                "app_api_key": "***",
                "headers": {
                    "authorization": "Bearer {{credentials.access_token}}", "x-api-key": "***",
                },
                "oauth_scopes": ["a"],
                "limits": [],
            })
        );
        let rows = serde_json::to_value(shown.origins()).unwrap();
        assert_eq!(
            rows[0],
            json!({"path": "oauth_client_secret", "value": "${SECRET}", "from": "integrations.yaml:1:1, $SECRET"})
        );
        assert_eq!(rows[4]["path"], "oauth_scopes.0");
        assert_eq!(
            rows[5],
            json!({"path": "limits", "value": [], "from": "integrations.yaml:1:1"})
        );
    }
}
