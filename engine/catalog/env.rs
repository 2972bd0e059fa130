//! The environment, and `${…}`: replaced in parsed texts, once, and never scanned again.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use crate::{
    catalog::tree::{Kind, Node, Origin, Source},
    diagnostic::{Diagnostics, Place, SourceFile},
};

/// The variables, read once at the door. Its `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    /// Why the `.env` file could not be read, if there is one.
    unread: Option<String>,
}

impl Environment {
    /// The real environment, or what a test says it is.
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { values: values.into_iter().collect(), unread: None }
    }

    /// Whether there is a `.env` file that cannot be read.
    pub fn lacks_file(&self) -> bool {
        self.unread.is_some()
    }

    /// With a `.env` file that cannot be read: a variable that is missing may stand there.
    #[must_use]
    pub fn without_file(mut self, reason: String) -> Self {
        self.unread = Some(reason);
        self
    }

    /// With the variables of a `.env` file beneath: the real environment wins, unless its value
    /// is empty.
    #[must_use]
    pub fn with_file(mut self, file: &Arc<SourceFile>, diagnostics: &mut Diagnostics) -> Self {
        for (name, value) in variables(file, diagnostics) {
            let real = self.values.entry(name).or_default();
            if real.is_empty() {
                *real = value;
            }
        }
        self
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// A variable (or a file, as `file:path`) that is named but missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub variable: String,
    /// What `${VAR:?message}` says, or why the file cannot be read.
    pub message: Option<String>,
    /// The keys and element numbers that lead to the text.
    pub pointer: Vec<String>,
    /// Of the `${…}`.
    pub place: Place,
}

/// A tree with its `${…}` replaced. Where one is missing, the text still holds it.
#[derive(Debug, Clone)]
pub struct Interpolated {
    /// Nodes that were not touched are shared with the tree before.
    pub tree: Arc<Node>,
    /// In the order of the file.
    pub missing: Vec<Missing>,
}

/// Replaces every `${…}` in the texts of a tree; keys stay. `included` reads what `${file:path}`
/// names, or says why it cannot. Malformed ones are told as `file.bad-variable` and old run-time
/// placeholders as `file.runtime-placeholder`.
pub fn interpolate(
    tree: &Arc<Node>,
    environment: &Environment,
    included: Included<'_>,
    diagnostics: &mut Diagnostics,
) -> Interpolated {
    let mut walk = Walk { environment, included, diagnostics, missing: Vec::new() };
    let tree = walk.node(tree).unwrap_or_else(|| Arc::clone(tree));
    let mut missing = walk.missing;
    for one in &mut missing {
        one.pointer.reverse();
    }
    Interpolated { tree, missing }
}

/// What a file holds that is named by its path, or why it cannot be had.
pub type Included<'a> = &'a dyn Fn(&str) -> Result<String, String>;

struct Walk<'a> {
    environment: &'a Environment,
    included: Included<'a>,
    diagnostics: &'a mut Diagnostics,
    /// With pointers innermost first: they grow on the way back up.
    missing: Vec<Missing>,
}

impl Walk<'_> {
    /// The node with its texts replaced; `None` if there is nothing to replace.
    fn node(&mut self, node: &Arc<Node>) -> Option<Arc<Node>> {
        let kind = match &node.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => return None,
            Kind::String(text) => return text.contains("${").then(|| self.text(node, text))?,
            Kind::List(items) => {
                let mut list = None;
                for (index, item) in items.iter().enumerate() {
                    let Some(new) = self.child(item, &index) else { continue };
                    if let Some(slot) = list.get_or_insert_with(|| items.clone()).get_mut(index) {
                        *slot = new;
                    }
                }
                Kind::List(list?)
            }
            Kind::Map(entries) => {
                let mut map = None;
                for (index, (key, value)) in entries.iter().enumerate() {
                    let Some(new) = self.child(value, &key.name) else { continue };
                    if let Some(slot) = map.get_or_insert_with(|| entries.clone()).get_mut(index) {
                        slot.1 = new;
                    }
                }
                Kind::Map(map?)
            }
        };
        Some(Arc::new(Node { kind, place: node.place.clone(), origin: None }))
    }

    fn child(&mut self, node: &Arc<Node>, segment: &dyn fmt::Display) -> Option<Arc<Node>> {
        let before = self.missing.len();
        let new = self.node(node);
        for missing in self.missing.iter_mut().skip(before) {
            missing.pointer.push(segment.to_string());
        }
        new
    }

    /// A text in which `${` stands; `None` if nothing in it could be understood.
    fn text(&mut self, node: &Arc<Node>, text: &str) -> Option<Arc<Node>> {
        let mut out = String::with_capacity(text.len());
        let mut origin = Origin { written: text.into(), sources: Vec::new(), inserted: Vec::new() };
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let next = rest.find("${").unwrap_or(rest.len());
            let escaped = next < rest.len() && rest.get(..next).is_some_and(|t| t.ends_with('$'));
            out.push_str(rest.get(..next - usize::from(escaped)).unwrap_or_default());
            at += next;
            if next == rest.len() {
                break;
            }
            if escaped {
                out.push_str("${");
                at += 2;
                continue;
            }
            let Some(len) = rest.get(next..).and_then(|r| r.find('}')).map(|end| end + 1) else {
                let hint = Some("write `$${` for a literal `${`".to_owned());
                let place = node.place_within(at, 2);
                self.bad("this `${` is never closed".to_owned(), &place, hint);
                return None;
            };
            let inner = text.get(at + 2..at + len - 1).unwrap_or_default();
            let place = node.place_within(at, len);
            let (value, source) = self.reference(inner, place)?;
            let start = out.len();
            match value {
                Some(value) => out.push_str(&value),
                None => out.push_str(text.get(at..at + len).unwrap_or_default()),
            }
            origin.inserted.push(start..out.len());
            origin.sources.push(source);
            at += len;
        }
        // With nothing but `$${` in it, it is an ordinary text.
        let origin = (!origin.sources.is_empty()).then(|| Arc::new(origin));
        let kind = Kind::String(out.into());
        Some(Arc::new(Node { kind, place: node.place.clone(), origin }))
    }

    /// What one `${…}` stands for, no value if it is missing; `None` if it is malformed.
    fn reference(&mut self, inner: &str, place: Place) -> Option<(Option<String>, Source)> {
        if let Some(path) = inner.strip_prefix("file:") {
            return Some(match (self.included)(path) {
                Ok(text) => (Some(text), Source::File(path.to_owned())),
                Err(reason) => self.lacks(inner.to_owned(), Some(reason), place),
            });
        }
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, rest) = inner.split_at(end.unwrap_or(inner.len()));
        if let Some(template) = placeholder(inner) {
            let message = format!("`${{{inner}}}` is not a variable of the environment");
            let hint = format!("for a value that is known only at run time write `{template}`");
            let code = "file.runtime-placeholder";
            self.diagnostics.error(code, message).at(&place).hint(hint);
            return None;
        }
        if inner.contains("${") {
            let hint = "give the default as plain text".to_owned();
            self.bad("`${…}` cannot stand within `${…}`".to_owned(), &place, Some(hint));
            return None;
        }
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !is_ending(rest) {
            let hint = "write `${VAR}`, `${VAR:-default}`, `${VAR:?message}` or `${file:path}`, \
                        and `$${` for a literal `${`";
            let message = format!("`${{{inner}}}` cannot be understood");
            self.bad(message, &place, Some(hint.to_owned()));
            return None;
        }
        let value = self.environment.get(name).map(str::to_owned);
        Some(match (value, rest.strip_prefix(":-")) {
            (Some(value), _) => (Some(value), Source::Variable(name.to_owned())),
            (None, Some(default)) => (Some(default.to_owned()), Source::Default(name.to_owned())),
            (None, None) => {
                let message = rest.strip_prefix(":?").filter(|m| !m.is_empty());
                let message = message.or(self.environment.unread.as_deref());
                self.lacks(name.to_owned(), message.map(str::to_owned), place)
            }
        })
    }

    fn lacks(
        &mut self,
        variable: String,
        message: Option<String>,
        place: Place,
    ) -> (Option<String>, Source) {
        let source = Source::Missing(variable.clone());
        self.missing.push(Missing { variable, message, pointer: Vec::new(), place });
        (None, source)
    }

    fn bad(&mut self, message: String, place: &Place, hint: Option<String>) {
        self.diagnostics.error("file.bad-variable", message).at(place).maybe_hint(hint);
    }
}

/// What may follow a name: nothing, a default or a message.
fn is_ending(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(":-") || rest.starts_with(":?")
}

/// The template that says today what an old placeholder for a run-time value said.
fn placeholder(inner: &str) -> Option<String> {
    let (root, rest) = inner.split_once('.').unwrap_or((inner, ""));
    let path = match (root, rest) {
        ("access_token" | "accessToken", "") => "credentials.access_token".to_owned(),
        ("api_key" | "apiKey", "") => "credentials.api_key".to_owned(),
        ("username" | "password" | "client_id" | "client_secret", "") => {
            format!("credentials.{root}")
        }
        ("credentials" | "connection", field) if !field.is_empty() => format!("{root}.{field}"),
        ("connectionConfig" | "connection_config" | "metadata", field) if !field.is_empty() => {
            format!("connection.{field}")
        }
        ("integrationConfig" | "integration", field) if !field.is_empty() => {
            format!("integration.{field}")
        }
        _ => return None,
    };
    Some(format!("{{{{{path}}}}}"))
}

/// The variables of a `.env` file: `NAME=value`, optional quotes, between which line breaks may
/// stand, `#` comments; nothing is expanded. Lines that are neither are reported as warnings and
/// left out.
fn variables(file: &SourceFile, diagnostics: &mut Diagnostics) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut rest, mut number) = (file.text.as_str(), 1);
    while !rest.is_empty() {
        let (line, mut after) = rest.split_once('\n').unwrap_or((rest, ""));
        match assignment(rest) {
            Some((name, value, behind)) => {
                found.push((name.to_owned(), value.into_owned()));
                after = behind;
            }
            None if is_comment(line) => {}
            None => {
                // The line may be a secret: say where, show nothing.
                let message = format!("line {number} of `{}` is not `NAME=value`", file.name);
                diagnostics.warning("file.bad-env-line", message);
            }
        }
        let taken = rest.get(..rest.len() - after.len()).unwrap_or_default();
        number += taken.matches('\n').count();
        rest = after;
    }
    found
}

/// The `NAME=value` or `export NAME=value` that a text begins with, and the lines behind it.
fn assignment(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (line, after) = text.split_once('\n').unwrap_or((text, ""));
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let value = value.trim();
    if !is_name(name) {
        return None;
    }
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return Some((name, Cow::Borrowed(unquoted(value)), after));
    };
    let (_, value) = text.split_once('=')?;
    let (value, after) = quoted(value.trim_start().strip_prefix(quote)?, quote)?;
    Some((name, value, after))
}

/// Whether there is nothing, or a comment.
fn is_comment(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('#')
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The text up to a quote, and what comes in the lines after it; `None` if the quote does not
/// close, or if more than a comment stands behind it.
fn quoted(text: &str, quote: char) -> Option<(Cow<'_, str>, &str)> {
    let (inner, rest) = text.split_once(quote)?;
    let (behind, after) = rest.split_once('\n').unwrap_or((rest, ""));
    let inner = if inner.contains('\r') {
        Cow::Owned(inner.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(inner)
    };
    is_comment(behind).then_some((inner, after))
}

/// A value without the comment after it.
fn unquoted(value: &str) -> &str {
    let comment = value.find(" #").unwrap_or(value.len());
    value.get(..comment).unwrap_or(value).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::yaml;

    fn file(text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: "integrations.yaml".into(), text: text.into() })
    }

    fn environment() -> Environment {
        let of = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Environment::new(
            [("A", "one"), ("EMPTY", ""), ("T", "{{x}}"), ("D", "${A}"), ("N", "5")].map(of),
        )
    }

    fn run(text: &str) -> (Interpolated, Diagnostics) {
        let mut diagnostics = Diagnostics::default();
        let tree = yaml::parse(&file(text)).unwrap().tree;
        let included = |_: &str| Err("No such file or directory".to_owned());
        (interpolate(&tree, &environment(), &included, &mut diagnostics), diagnostics)
    }

    #[test]
    fn texts() {
        for (written, expected) in [
            ("${A}", "one"),
            ("x ${A}-${A} y", "x one-one y"),
            ("${B:-two}", "two"),
            ("${EMPTY:-two}", "two"),
            ("${A:-two}", "one"),
            ("${B:-}", ""),
            ("${B:-a:b?c}", "a:b?c"),
            ("${D}", "${A}"),
            ("$${A}", "${A}"),
            ("$$ $x $$${A} $", "$$ $x $${A} $"),
            ("é${A}é", "éoneé"),
            ("plain", "plain"),
        ] {
            let (done, diagnostics) = run(&format!("a: '{written}'"));
            assert_eq!(done.tree.get("a").unwrap().as_str(), Some(expected), "{written}");
            assert!(
                diagnostics.is_empty() && done.missing.is_empty(),
                "{written}: {diagnostics:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_listed_with_its_place() {
        let (done, diagnostics) =
            run("x:\n  - y: 'a ${NO}'\nz: ${EMPTY:?ask Ann}\nf: ${file:no-such}\n");
        assert!(diagnostics.is_empty());
        let shown: Vec<String> = done
            .missing
            .iter()
            .map(|m| {
                format!(
                    "{} {} {} {}",
                    m.place,
                    m.variable,
                    m.pointer.join("."),
                    m.message.is_some()
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "integrations.yaml:2:11 NO x.0.y false",
                "integrations.yaml:3:4 EMPTY z true",
                "integrations.yaml:4:4 file:no-such f true",
            ]
        );
        assert_eq!(done.tree.get("z").unwrap().as_str(), Some("${EMPTY:?ask Ann}"));
    }

    #[test]
    fn malformed_ones_and_old_placeholders() {
        for (written, code) in [
            ("${A", "file.bad-variable"),
            ("${}", "file.bad-variable"),
            ("${1A}", "file.bad-variable"),
            ("${A-x}", "file.bad-variable"),
            ("${A:-${B}}", "file.bad-variable"),
            ("${access_token}", "file.runtime-placeholder"),
            ("Bearer ${credentials.api_key}", "file.runtime-placeholder"),
            ("https://${connectionConfig.subdomain}.x", "file.runtime-placeholder"),
        ] {
            let (_, diagnostics) = run(&format!("a: '{written}'"));
            let codes: Vec<&str> = diagnostics.list().iter().map(|d| d.code).collect();
            assert_eq!(codes, [code], "{written}");
        }
        let hint = run("a: ${connectionConfig.sub}").1.list()[0].hint.clone().unwrap();
        assert!(hint.contains("`{{connection.sub}}`"), "{hint}");
    }

    #[test]
    fn values_do_not_show_and_are_no_templates() {
        let (done, _) = run("a: '{{y}} ${T}'\nb: {c: '${A}'}\n");
        let a = done.tree.get("a").unwrap();
        assert_eq!(a.template_text().unwrap(), r"{{y}} \{{x}}");
        assert!(!format!("{done:?}").contains("one"), "{done:?}");
        assert_eq!(done.tree.to_shown_json().to_string(), r#"{"a":"{{y}} ${T}","b":{"c":"${A}"}}"#);
        assert_eq!(done.tree.to_json().to_string(), r#"{"a":"{{y}} {{x}}","b":{"c":"one"}}"#);
        assert!(!format!("{:?}", environment()).contains("one"));
    }

    #[test]
    fn dotenv() {
        let text = "# words\nA=file\nexport B = two # c\nC='a # b'\nQ=\"x y\" # c\n\nE=\nF=a#b=c\nG='open\nnonsense\n\
                    K=\"-----BEGIN KEY-----\r\nab=\n# c\n-----END KEY-----\n\" # k\nL=d\nM=\"x\" y\nmore\n";
        let mut diagnostics = Diagnostics::default();
        let environment = environment().with_file(&file(text), &mut diagnostics);
        for (name, value) in [
            ("A", Some("one")),
            ("B", Some("two")),
            ("C", Some("a # b")),
            ("Q", Some("x y")),
            ("E", None),
            ("F", Some("a#b=c")),
            ("G", None),
            ("K", Some("-----BEGIN KEY-----\nab=\n# c\n-----END KEY-----\n")),
            ("L", Some("d")),
            ("M", None),
        ] {
            assert_eq!(environment.get(name), value, "{name}");
        }
        let messages: Vec<&str> = diagnostics.list().iter().map(|d| d.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "line 9 of `integrations.yaml` is not `NAME=value`",
                "line 10 of `integrations.yaml` is not `NAME=value`",
                "line 17 of `integrations.yaml` is not `NAME=value`",
                "line 18 of `integrations.yaml` is not `NAME=value`",
            ]
        );
    }
}
