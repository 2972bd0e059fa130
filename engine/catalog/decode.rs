//! A tree into a type, with every problem at its place. serde stops at the first one: it is
//! noted, its entry taken out of a copy of the tree, and the reading begins again.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::{
    catalog::{
        fault::{Fault, Problem, in_our_words},
        tree::{Key, Kind, Node},
        view::At,
    },
    diagnostic::{Diagnostics, Place, Severity, suggest},
};

pub use crate::catalog::raw::{Located, Raw};

/// Most problems that are told of one tree.
const MOST: usize = 50;

/// Reads a type out of a tree. What is wrong is in `diagnostics`, and what is left of the tree
/// without it is the value, so that the rest can be checked too; `None` if nothing is left:
/// `file.unknown-key`, `file.missing-key`, `file.wrong-type`, `file.unknown-value` or
/// `file.bad-value`.
pub fn decode<T: DeserializeOwned>(node: &Arc<Node>, diagnostics: &mut Diagnostics) -> Option<T> {
    let mut tree = Arc::clone(node);
    let mut pruned: Vec<(Place, Arc<str>)> = Vec::new();
    for _ in 0..MOST {
        let error = match T::deserialize(At(&tree)) {
            Ok(value) => return Some(value),
            Err(error) => *error.0,
        };
        let Some(site) = locate(&tree, &error.path) else {
            diagnostics.error("file.bad-value", error.fault.to_string(), Some(tree.place.clone()));
            break;
        };
        // A key that was taken out for its own fault is not also missing.
        let known = matches!(&error.fault, Fault::Missing(name)
            if pruned.iter().any(|(place, key)| *place == site.node.place && **key == **name));
        if !known {
            report(&error, &site, diagnostics);
        }
        // An object whose only key is no choice is nothing without it.
        let gone = match (&error.fault, error.path.as_slice()) {
            (Fault::UnknownValue(_), [_, outer @ ..]) if error.at_key => outer,
            (_, path) => path,
        };
        let of = locate(&tree, gone).and_then(|site| site.parent.zip(site.key));
        pruned.extend(of.map(|(parent, key)| (parent.place.clone(), Arc::clone(&key.name))));
        let Some(rest) = without(&tree, gone) else { break };
        tree = rest;
    }
    None
}

/// The node that a path leads to, and what is around it.
struct Site<'t> {
    node: &'t Arc<Node>,
    parent: Option<&'t Arc<Node>>,
    /// Of the entry, if the parent is an object.
    key: Option<&'t Key>,
}

fn locate<'t>(tree: &'t Arc<Node>, path: &[usize]) -> Option<Site<'t>> {
    let mut site = Site { node: tree, parent: None, key: None };
    for &index in path.iter().rev() {
        let parent = site.node;
        let (key, node) = match &parent.kind {
            Kind::Map(entries) => entries.get(index).map(|(key, node)| (Some(key), node))?,
            Kind::List(items) => (None, items.get(index)?),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return None,
        };
        site = Site { node, parent: Some(parent), key };
    }
    Some(site)
}

/// A copy of the tree without what the path (innermost first) leads to; `None` if that is all.
fn without(tree: &Arc<Node>, path: &[usize]) -> Option<Arc<Node>> {
    let (&index, inner) = path.split_last()?;
    let mut copy = Node::clone(tree);
    match &mut copy.kind {
        Kind::Map(entries) => match without(&entries.get(index)?.1, inner) {
            Some(rest) => entries.get_mut(index)?.1 = rest,
            None => drop(entries.remove(index)),
        },
        Kind::List(items) => match without(items.get(index)?, inner) {
            Some(rest) => *items.get_mut(index)? = rest,
            None => drop(items.remove(index)),
        },
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return None,
    }
    Some(Arc::new(copy))
}

fn report(problem: &Problem, site: &Site<'_>, diagnostics: &mut Diagnostics) {
    let name = site.key.map_or("", |key| &key.name);
    // A choice may be made by a key; then that is what is unknown.
    let (chosen, found) = match (problem.at_key, site.node.as_str()) {
        (true, _) => (name, format!("`{name}`")),
        (false, Some(text)) if site.node.origin.is_none() => (text, site.node.describe()),
        (false, _) => ("", site.node.describe()),
    };
    let (code, message, hint) = match &problem.fault {
        Fault::UnknownKey(known) => {
            let hint = suggest(name, known.iter().copied());
            ("file.unknown-key", format!("unknown key `{name}`"), hint)
        }
        Fault::Missing(key) => ("file.missing-key", format!("missing key `{key}`"), None),
        Fault::UnknownValue(known) => {
            let message = format!("expected one of {}, found {found}", quoted(known));
            ("file.unknown-value", message, suggest(chosen, known.iter().copied()))
        }
        Fault::Type(expected) => {
            let expected = in_our_words(expected);
            let message = format!("expected {expected}, found {found}");
            ("file.wrong-type", message, quote_it(&expected, site.node))
        }
        Fault::Custom(message) => ("file.bad-value", without_value(message, site.node), None),
    };
    let place = match site.key {
        Some(key) if problem.at_key => &key.place,
        _ => &site.node.place,
    };
    diagnostics.push(Severity::Error, code, message, Some(place.clone()), hint);
}

/// Whoever made the sentence did not know that the value came from the environment.
fn without_value(message: &str, node: &Node) -> String {
    match (&node.origin, node.as_str()) {
        (Some(origin), Some(text)) if !text.is_empty() => message.replace(text, &origin.written),
        _ => message.to_owned(),
    }
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// `1.10`, `true` or `null` where a text is wanted: the author meant the letters.
fn quote_it(expected: &str, node: &Node) -> Option<String> {
    let scalar = matches!(node.kind, Kind::Bool(_) | Kind::Number(_));
    (scalar && expected.contains("text")).then(|| format!("quote it: `'{}'`", node.place.text()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fmt};

    use serde::{
        Deserialize, Deserializer,
        de::{self, MapAccess, Visitor},
    };

    use super::*;
    use crate::{
        catalog::{env, yaml},
        diagnostic::SourceFile,
    };

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Spec {
        name: String,
        #[serde(default)]
        count: Option<u32>,
        #[serde(default)]
        steps: Vec<Step>,
        #[serde(default)]
        by_name: BTreeMap<String, Step>,
        #[serde(default)]
        style: Option<Style>,
        #[serde(default)]
        free: Option<Raw>,
        #[serde(default)]
        even: Option<Even>,
    }

    /// A text whose reader says what is wrong with it, value and all.
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Even;

    impl TryFrom<String> for Even {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            let even = text.len().is_multiple_of(2);
            even.then_some(Self).ok_or_else(|| format!("`{text}` is not of even length"))
        }
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Step {
        id: Located<String>,
        #[serde(default)]
        on: bool,
        #[serde(default)]
        when: When,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Style {
        Body,
        Header,
        Custom { name: String },
    }

    /// A union by hand: a text, or an object.
    #[derive(Debug, Default, PartialEq)]
    enum When {
        #[default]
        Always,
        Text(String),
        Parts(BTreeMap<String, u8>),
    }

    impl<'de> Deserialize<'de> for When {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Union;
            impl<'de> Visitor<'de> for Union {
                type Value = When;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a text or an object")
                }

                fn visit_str<E: de::Error>(self, text: &str) -> Result<When, E> {
                    Ok(When::Text(text.to_owned()))
                }

                fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<When, A::Error> {
                    Deserialize::deserialize(de::value::MapAccessDeserializer::new(map))
                        .map(When::Parts)
                }
            }
            deserializer.deserialize_any(Union)
        }
    }

    fn tree(text: &str) -> Arc<Node> {
        yaml::parse(&Arc::new(SourceFile { name: "t".into(), text: text.into() })).unwrap()
    }

    /// `line:column code message (hint)`, for each problem.
    fn problems(node: &Arc<Node>) -> Vec<String> {
        let mut diagnostics = Diagnostics::default();
        drop(decode::<Spec>(node, &mut diagnostics));
        assert!(diagnostics.has_errors(), "{node:?} was read");
        diagnostics.sort();
        let mut shown = Vec::new();
        for d in &diagnostics.list {
            let at = d.place.as_ref().unwrap().start();
            let hint = d.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            shown.push(format!("{}:{} {} {}{hint}", at.line, at.column, d.code, d.message));
        }
        shown
    }

    #[test]
    fn what_is_right_is_read() {
        let text = "name: x\ncount: 5\nsteps: [{id: a, on: true, when: x}, {id: b, when: {p: 1}}]\n\
                    by_name: {q: {id: c}}\nstyle: {custom: {name: n}}\nfree: {any: [1.10]}\n";
        let mut diagnostics = Diagnostics::default();
        let spec: Spec = decode(&tree(text), &mut diagnostics).unwrap();
        assert!(diagnostics.is_empty());
        assert_eq!((spec.name.as_str(), spec.count), ("x", Some(5)));
        let [a, b] = spec.steps.as_slice() else { panic!() };
        assert_eq!((a.id.value.as_str(), a.on), ("a", true));
        assert_eq!(a.id.node.place.to_string(), "t:3:14");
        assert_eq!(a.when, When::Text("x".into()));
        assert_eq!(b.when, When::Parts([("p".to_owned(), 1)].into()));
        assert_eq!(spec.by_name["q"].id.value, "c");
        assert_eq!(spec.style, Some(Style::Custom { name: "n".into() }));
        assert!(spec.even.is_none());
        assert_eq!(spec.free.unwrap().0.to_json().to_string(), r#"{"any":[1.10]}"#);
    }

    #[test]
    fn all_problems_are_found_each_at_its_place() {
        let text = "nam: x\ncount: many\nsteps:\n  - id: 1.10\n  - {idd: x, on: 'yes'}\n  - {id: a, when: {p: q}}\n\
                    \x20 - {id: b, when: [1]}\nby_name: []\nstyle: hedaer\n";
        assert_eq!(
            problems(&tree(text)),
            [
                "1:1 file.missing-key missing key `name`",
                "1:1 file.unknown-key unknown key `nam` (did you mean `name`?)",
                "2:8 file.wrong-type expected a whole number that is not negative, found the text `many`",
                "4:9 file.wrong-type expected a text, found the number `1.10` (quote it: `'1.10'`)",
                "5:5 file.missing-key missing key `id`",
                "5:6 file.unknown-key unknown key `idd` (did you mean `id`?)",
                "5:18 file.wrong-type expected `true` or `false`, found the text `yes`",
                "6:23 file.wrong-type expected a whole number that is not negative, found the text `q`",
                "7:19 file.wrong-type expected a text or an object, found a list",
                "8:10 file.wrong-type expected an object, found a list",
                "9:8 file.unknown-value expected one of `body`, `header`, `custom`, found the text `hedaer` (did you mean `header`?)",
            ]
        );
    }

    #[test]
    fn variants_by_key_and_ranges() {
        assert_eq!(
            problems(&tree("name: x\ncount: -1\nstyle: {custm: {name: x}}\n")),
            [
                "2:8 file.wrong-type expected a whole number that is not negative, found the number `-1`",
                "3:9 file.unknown-value expected one of `body`, `header`, `custom`, found `custm` (did you mean `custom`?)",
            ]
        );
        assert_eq!(
            problems(&tree("- name: x\n")),
            ["1:3 file.wrong-type expected an object, found a list"]
        );
    }

    #[test]
    fn values_of_the_environment_convert_and_never_show() {
        let mut diagnostics = Diagnostics::default();
        let environment = env::Environment::new([
            ("N".to_owned(), "5".to_owned()),
            ("B".to_owned(), "true".to_owned()),
            ("S".to_owned(), "hunter2".to_owned()),
        ]);
        let mut with =
            |text: &str| env::interpolate(&tree(text), &environment, None, &mut diagnostics).tree;
        let right = with("name: '${N}'\ncount: ${N}\nsteps: [{id: a, on: '${B}'}]\n");
        let wrong = with("name: x\ncount: ${S}\nstyle: ${S}\neven: ${S}\n");
        let spec: Spec = decode(&right, &mut diagnostics).unwrap();
        assert_eq!((spec.name.as_str(), spec.count, spec.steps[0].on), ("5", Some(5), true));
        let shown = problems(&wrong).join("\n");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("found the value of `${S}`"), "{shown}");
        assert!(shown.contains("4:7 file.bad-value `${S}` is not of even length"), "{shown}");
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let text: String = (0..500).map(|i| format!("k{i}: 1\n")).collect();
        assert_eq!(problems(&tree(&text)).len(), MOST);
    }
}
