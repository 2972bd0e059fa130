//! An object as a form, and the ways to go through one: over a file, over a part of it, and over
//! nothing.

use std::sync::Arc;

use crate::{
    catalog::{
        form::{
            description::{Description, Kind, Part, What},
            key::{Blank, Form, wrong_type},
            listing::Listing,
            object::Object,
        },
        tree::{self, Node},
    },
    diagnostic::Diagnostics,
};

/// An object with the keys that `read` asks for.
pub struct Fields<R> {
    name: &'static str,
    doc: &'static str,
    read: R,
}

/// An object: what it is called, what it is, and what asks for its keys.
pub fn object<V, R>(name: &'static str, doc: &'static str, read: R) -> Fields<R>
where
    R: FnMut(&mut Object<'_>) -> V,
{
    Fields { name, doc, read }
}

impl<V, R: FnMut(&mut Object<'_>) -> V> Form for Fields<R> {
    type Value = V;

    fn kind(&mut self, all: &mut Description) -> Kind {
        let part = Part { name: self.name, doc: self.doc, what: What::Object(Vec::new()) };
        if let Some(part) = all.begin(part) {
            let silent = &mut Diagnostics::default();
            let listing = Listing { all, part };
            drop((self.read)(&mut Object::nothing(silent).listing(listing)));
        }
        Kind::Part(self.name)
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<V> {
        if !matches!(node.kind, tree::Kind::Map(_)) {
            return wrong_type(node, "an object", found);
        }
        let mut object = Object::over(node, found);
        let value = (self.read)(&mut object);
        object.finish();
        Some(value)
    }
}

impl<V, R: FnMut(&mut Object<'_>) -> V> Blank for Fields<R> {
    fn blank(&mut self) -> V {
        (self.read)(&mut Object::nothing(&mut Diagnostics::default()))
    }
}

/// Reads a whole tree. What comes is of use only if `found` has no error: values stand in for what
/// was wrong, so that nothing hides another fault.
pub fn read<F: Form>(node: &Arc<Node>, mut form: F, found: &mut Diagnostics) -> Option<F::Value> {
    form.read(node, found)
}

/// Faults that are none if the rest of an object says the right thing.
pub const UNCERTAIN: [&str; 3] = ["file.missing-key", "file.base", "template.name"];

/// Reads a tree of which a part is missing: the parent that a blueprint extends, or the blueprint
/// of an action. Faults with the codes of `uncertain` may be none with it, and are not reported.
pub fn read_part<F: Form>(node: &Arc<Node>, form: F, uncertain: &[&str], found: &mut Diagnostics) {
    let mut own = Diagnostics::default();
    drop(read(node, form, &mut own));
    own.retain(|fault| !uncertain.contains(&fault.code));
    found.extend(own);
}

/// The keys that a reader asks for.
pub fn keys<V>(read: impl FnOnce(&mut Object<'_>) -> V) -> Vec<&'static str> {
    let silent = &mut Diagnostics::default();
    let mut object = Object::nothing(silent);
    drop(read(&mut object));
    object.asked()
}

/// Lists what a form is made of.
pub fn describe<F: Form>(mut form: F) -> Description {
    let mut all = Description::default();
    form.kind(&mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::{
            env,
            form::{
                choice::{Choices, row},
                key::key,
                list::Map,
                scalar::{BOOL, COUNT, HEADER, SMALL, SPAN, TEXT},
            },
            yaml,
        },
        diagnostic::{MOST, SourceFile},
    };

    static STYLES: Choices<u8> = Choices {
        name: "Style",
        doc: "",
        rows: &[row("body", 1, ""), row("header", 2, ""), row("none", 3, "")],
    };

    #[derive(Debug, PartialEq)]
    struct Sample {
        name: String,
        count: Option<u32>,
        steps: Vec<(String, bool)>,
        by_name: Vec<(String, u32)>,
        style: u8,
        place: Option<String>,
        wait: std::time::Duration,
    }

    fn sample(o: &mut Object<'_>) -> Sample {
        let step = object("Step", "", |o| {
            (o.needed(key("id", ""), TEXT), o.or(key("on", ""), BOOL, false))
        });
        let style = o.chosen(key("style", ""), &STYLES);
        let place = o.by("style", &STYLES, style, |o, style| match style {
            1 => o.optional(key("member", ""), TEXT),
            2 => Some(o.needed(key("field", ""), HEADER).to_string()),
            _ => None,
        });
        Sample {
            name: o.needed(key("name", ""), TEXT),
            count: o.optional(key("count", ""), COUNT),
            steps: o.list(key("steps", ""), step),
            by_name: o.or_empty(key("by_name", ""), Map(SMALL)),
            style: style.map_or(0, |row| row.value),
            place: place.flatten(),
            wait: o.or(key("wait", ""), SPAN, std::time::Duration::from_secs(1)),
        }
    }

    fn tree(text: &str) -> Arc<Node> {
        yaml::parse(&Arc::new(SourceFile { name: "t".into(), text: text.into() })).unwrap().tree
    }

    fn read_sample(node: &Arc<Node>) -> (Option<Sample>, Diagnostics) {
        let mut found = Diagnostics::default();
        let value = read(node, object("Sample", "", sample), &mut found);
        found.sort();
        (value, found)
    }

    /// `line:column code message (hint)`, for each problem.
    fn problems(node: &Arc<Node>) -> Vec<String> {
        let (_, found) = read_sample(node);
        let shown = found.list().iter().map(|d| {
            let at = d.place.as_ref().unwrap().start();
            let hint = d.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}:{} {} {}{hint}", at.line, at.column, d.code, d.message)
        });
        shown.collect()
    }

    #[test]
    fn what_is_right_is_read() {
        let text = "name: x\ncount: 5\nsteps: [{id: a, on: true}, {id: b}]\nby_name: {q: 7}\n\
                    style: header\nfield: X-Key\nwait: ~\n";
        let (value, found) = read_sample(&tree(text));
        assert!(found.is_empty(), "{found:?}");
        let expected = Sample {
            name: "x".into(),
            count: Some(5),
            steps: vec![("a".into(), true), ("b".into(), false)],
            by_name: vec![("q".into(), 7)],
            style: 2,
            place: Some("x-key".into()),
            wait: std::time::Duration::from_secs(1),
        };
        assert_eq!(value, Some(expected));
    }

    #[test]
    fn all_problems_are_found_each_at_its_place() {
        let text = "nam: x\ncount: many\nsteps:\n  - id: 1.10\n  - {idd: x, on: 'yes'}\n  - [1]\n\
                    by_name: []\nstyle: hedaer\nwait: 5 s\n";
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
                "6:5 file.wrong-type expected an object, found a list",
                "7:10 file.wrong-type expected an object, found a list",
                "8:8 file.unknown-value expected one of `body`, `header`, `none`, found the text `hedaer` (did you mean `header`?)",
                "9:7 file.bad-span expected a span of time, found the text `5 s` (write a number and a unit without a space: `500ms`, `30s`, `2m`, `1h`, `7d`)",
            ]
        );
    }

    #[test]
    fn keys_of_another_choice_are_foreign() {
        assert_eq!(
            problems(&tree("name: x\nstyle: body\nfield: x\nmembr: x\n")),
            [
                "3:1 file.foreign-key `field` belongs to `style: header` (take it out)",
                "4:1 file.unknown-key unknown key `membr` (did you mean `member`?)",
            ]
        );
        assert_eq!(
            problems(&tree("name: x\nstyle: header\n")),
            ["1:1 file.missing-key `style: header` needs `field`"]
        );
        // Nothing was chosen: nobody knows whose they are.
        assert_eq!(
            problems(&tree("name: x\nfield: x\nmember: x\n")),
            ["1:1 file.missing-key missing key `style`"]
        );
    }

    #[test]
    fn values_of_the_environment_convert_and_never_show() {
        let environment = env::Environment::new([
            ("N".to_owned(), "5".to_owned()),
            ("B".to_owned(), "true".to_owned()),
            ("S".to_owned(), "hunter2".to_owned()),
        ]);
        let with = |text: &str| {
            let told = &mut Diagnostics::default();
            env::interpolate(&tree(text), &environment, &|_| Err(String::new()), told).tree
        };
        let right = "name: '${N}'\ncount: ${N}\nsteps: [{id: a, on: '${B}'}]\nstyle: none\n";
        let (value, found) = read_sample(&with(right));
        let value = value.unwrap();
        assert!(found.is_empty(), "{found:?}");
        assert_eq!((value.name.as_str(), value.count, value.steps[0].1), ("5", Some(5), true));
        let shown = problems(&with("name: x\ncount: ${S}\nstyle: ${S}\nwait: ${S}\n")).join("\n");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(shown.matches("found the value of `${S}`").count(), 3, "{shown}");
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let text: String = (0..500).map(|i| format!("k{i}: 1\n")).collect();
        let (_, found) = read_sample(&tree(&text));
        // And the two keys that are missing.
        assert_eq!(found.list().len() + found.more(), 502);
        assert_eq!(found.list().len(), MOST);
    }

    #[test]
    fn what_is_asked_for_is_described() {
        let format = describe(object("Sample", "", sample));
        let What::Object(rows) = &format.parts[0].what else { panic!() };
        let shown: Vec<String> = rows
            .iter()
            .map(|row| {
                let owners = row.owners.as_ref().map(|owners| owners.values.join("+"));
                format!("{} {} {:?} {:?}", row.name, row.needed, row.default, owners)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "style true None None",
                "member false None Some(\"body\")",
                "field false None Some(\"header\")",
                "name true None None",
                "count false None None",
                "steps false None None",
                "by_name false None None",
                "wait false Some(\"1s\") None",
            ]
        );
    }
}
