//! An object of a file, asked for its keys.

use std::sync::Arc;

use crate::{
    catalog::{
        form::{
            choice::{Choices, Row},
            description::{self, Description, Kind, Owners, Part, What},
            key::{Blank, Form, Key, wrong_type},
            list::{List, Map},
        },
        tree::{self, Node},
    },
    diagnostic::{Diagnostic, Diagnostics, Severity, suggest},
};

/// An object on its way: what was asked for, and what was wrong.
pub struct Object<'a> {
    /// `None`: the keys alone are of interest.
    node: Option<&'a Arc<Node>>,
    found: &'a mut Diagnostics,
    listing: Option<Listing<'a>>,
    asked: Vec<&'static str>,
    foreign: Vec<Foreign>,
    owner: Option<Owner>,
}

/// Where a listed key goes.
struct Listing<'a> {
    all: &'a mut Description,
    part: usize,
}

/// A value of another key, by which the keys at hand belong to the object.
#[derive(Clone, Copy)]
struct Owner {
    by: &'static str,
    value: &'static str,
}

/// A key that belongs elsewhere.
struct Foreign {
    key: &'static str,
    /// `` `auth_mode: OAUTH2` ``, for messages.
    owner: String,
}

/// Whether a key must be there, and what holds without it.
enum Need {
    Needed,
    Default(Option<String>),
}

impl<'a> Object<'a> {
    fn over(node: &'a Arc<Node>, found: &'a mut Diagnostics) -> Self {
        Self { node: Some(node), ..Self::nothing(found) }
    }

    fn nothing(found: &'a mut Diagnostics) -> Self {
        Self {
            node: None,
            found,
            listing: None,
            asked: Vec::with_capacity(8),
            foreign: Vec::new(),
            owner: None,
        }
    }

    /// What stands at a key; `None` if nothing does, or null.
    pub fn raw(&self, name: &str) -> Option<&'a Arc<Node>> {
        self.node?.get(name).filter(|node| !node.is_null())
    }

    /// The object itself.
    pub fn node(&self) -> Option<&'a Arc<Node>> {
        self.node
    }

    /// 1-based, for reports of tests.
    pub fn line(&self) -> usize {
        self.node.map_or(0, |node| node.place.start().line)
    }

    /// A value that may be left out.
    pub fn optional<F: Form>(&mut self, key: Key, mut form: F) -> Option<F::Value> {
        let node = self.ask(key, &mut form, Need::Default(None))?;
        form.read(node, self.found)
    }

    /// A value that holds even if it is left out.
    pub fn or<F: Form>(&mut self, key: Key, mut form: F, default: F::Value) -> F::Value {
        let spelled = self.listing.as_ref().and_then(|_| form.spelled(&default));
        let node = self.ask(key, &mut form, Need::Default(spelled));
        node.and_then(|node| form.read(node, self.found)).unwrap_or(default)
    }

    /// A value that must be there: `file.missing-key`.
    pub fn needed<F: Blank>(&mut self, key: Key, mut form: F) -> F::Value {
        let node = self.ask(key, &mut form, Need::Needed);
        if node.is_none() {
            self.missing(key);
        }
        node.and_then(|node| form.read(node, self.found)).unwrap_or_else(|| form.blank())
    }

    /// A value that is empty, or its type's default, if it is left out.
    pub fn or_empty<F: Form<Value: Default>>(&mut self, key: Key, form: F) -> F::Value {
        self.optional(key, form).unwrap_or_default()
    }

    /// A list, which is empty if it is left out.
    pub fn list<F: Form>(&mut self, key: Key, form: F) -> Vec<F::Value> {
        self.or_empty(key, List(form))
    }

    /// An object of values by any key, which is empty if it is left out.
    pub fn map<F: Form>(&mut self, key: Key, form: F) -> Vec<(String, F::Value)> {
        self.or_empty(key, Map(form))
    }

    /// The choice that decides which other keys there are; `None` if it is missing or unknown.
    pub fn chosen<T>(&mut self, key: Key, choices: &'static Choices<T>) -> Option<&'static Row<T>> {
        let node = self.ask(key, &mut Words(choices), Need::Needed);
        match node {
            Some(node) => choices.find(node, self.found),
            None => {
                self.missing(key);
                None
            }
        }
    }

    /// A choice that must be there; `stand_in` is what nobody meets if it is not.
    pub fn choice<T: Copy>(&mut self, key: Key, all: &'static Choices<T>, stand_in: T) -> T {
        self.chosen(key, all).map_or(stand_in, |row| row.value)
    }

    /// Reads the keys that a choice brings along. Those of the other choices are foreign, and what
    /// stands there is an error; if nothing was chosen, the keys of all of them are let pass.
    pub fn by<T: Copy, V>(
        &mut self,
        by: &'static str,
        choices: &'static Choices<T>,
        chosen: Option<&'static Row<T>>,
        mut read: impl FnMut(&mut Object<'_>, T) -> V,
    ) -> Option<V> {
        if self.listing.is_some() {
            for row in choices.rows {
                self.owner = Some(Owner { by, value: row.name });
                drop(read(self, row.value));
            }
            self.owner = None;
            return None;
        }
        let value = chosen.map(|row| {
            self.owner = Some(Owner { by, value: row.name });
            let value = read(self, row.value);
            self.owner = None;
            value
        });
        if self.has_unasked() {
            for row in choices.rows {
                let silent = &mut Diagnostics::default();
                let mut other = Object::nothing(silent);
                drop(read(&mut other, row.value));
                match chosen {
                    None => self.asked.extend(other.asked),
                    Some(_) => {
                        let owner = format!("`{by}: {}`", row.name);
                        let foreign = |key| Foreign { key, owner: owner.clone() };
                        self.foreign.extend(other.asked.into_iter().map(foreign));
                    }
                }
            }
        }
        value
    }

    /// Keys that are read as part of something else: they are described, and let pass.
    pub fn pass<V>(&mut self, keys: &[&'static str], read: impl FnOnce(&mut Object<'_>) -> V) {
        if self.listing.is_some() {
            drop(read(self));
        } else {
            self.asked.extend(keys);
        }
    }

    /// Says where a key that is unknown here belongs.
    pub fn elsewhere(&mut self, key: &'static str, owner: &str) {
        self.foreign.push(Foreign { key, owner: owner.to_owned() });
    }

    /// A key that no version has read so far: `file.unsupported`. It is not described.
    pub fn unsupported(&mut self, name: &'static str) {
        let entries = self.node.into_iter().flat_map(|node| node.entries());
        let key = entries.map(|(key, _)| key).find(|key| *key.name == *name);
        if let Some(key) = key {
            self.asked.push(name);
            let message = format!("`{name}` is not supported by this version");
            self.found.error("file.unsupported", message).at(&key.place);
        }
    }

    /// At most one of some keys: `file.bad-value`.
    pub fn at_most_one(&mut self, what: &str, names: &[&str]) {
        let given = self.node.into_iter().flat_map(|node| node.entries());
        let mut given = given.filter(|(key, node)| names.contains(&&*key.name) && !node.is_null());
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            let message =
                format!("there is one {what}, and this has `{}` and `{}`", first.name, second.name);
            self.found.error("file.bad-value", message).at(&second.place);
        }
    }

    /// What is wrong so far, for what looks at several keys at once.
    pub fn found(&mut self) -> &mut Diagnostics {
        self.found
    }

    /// Reports a problem of the object as a whole.
    pub fn error(&mut self, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.found.error(code, message).maybe_at(self.node.map(|node| &node.place))
    }

    /// Reports something that its author should look at.
    pub fn warning(&mut self, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.found.warning(code, message).maybe_at(self.node.map(|node| &node.place))
    }

    /// Reports something that is good to know of the object.
    pub fn note(&mut self, code: &'static str, message: impl Into<String>) {
        self.found.note(code, message).maybe_at(self.node.map(|node| &node.place));
    }

    /// Reports a problem of the value at a key, or of the object if it is not there.
    pub fn error_at(
        &mut self,
        name: &str,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let node = self.raw(name).or(self.node);
        self.found.error(code, message).maybe_at(node.map(|node| &node.place))
    }

    fn ask<F: Form>(&mut self, key: Key, form: &mut F, need: Need) -> Option<&'a Arc<Node>> {
        self.asked.push(key.name);
        if let Some(listing) = &mut self.listing {
            let kind = form.kind(listing.all);
            let own = if let Kind::Text(example) = &kind { *example } else { None };
            let owners = |owner: Owner| Owners { by: owner.by, values: vec![owner.value] };
            let row = description::Row {
                name: key.name,
                doc: key.doc,
                needed: matches!(need, Need::Needed) && !key.inherited && self.owner.is_none(),
                default: match need {
                    Need::Default(default) => default,
                    Need::Needed => None,
                },
                example: key.example.or(own),
                owners: self.owner.map(owners),
                kind,
            };
            listing.all.row(listing.part, row);
        }
        self.raw(key.name)
    }

    fn missing(&mut self, key: Key) {
        let Key { name, example, .. } = key;
        let message = match self.owner {
            Some(Owner { by, value }) => format!("`{by}: {value}` needs `{name}`"),
            None => format!("missing key `{name}`"),
        };
        let hint = example.map(|example| format!("such as `{name}: {example}`"));
        self.error("file.missing-key", message).maybe_hint(hint);
    }

    fn has_unasked(&self) -> bool {
        let mut entries = self.node.into_iter().flat_map(|node| node.entries());
        entries.any(|(key, _)| !self.asked.contains(&&*key.name))
    }

    /// Reports the keys that nothing asked for.
    fn finish(self) {
        let entries = self.node.into_iter().flat_map(|node| node.entries());
        let unasked = entries.filter(|(key, _)| !self.asked.contains(&&*key.name));
        for (tree::Key { name, place }, node) in unasked {
            let owners = self.foreign.iter().filter(|foreign| *foreign.key == **name);
            let owners: Vec<&str> = owners.map(|foreign| foreign.owner.as_str()).collect();
            if owners.is_empty() {
                let worth = !self.found.is_full(Severity::Error);
                let hint = worth.then(|| suggest(name, self.asked.iter().copied())).flatten();
                self.found
                    .error("file.unknown-key", format!("unknown key `{name}`"))
                    .at(place)
                    .maybe_hint(hint);
            } else if !node.is_null() {
                let message = format!("`{name}` belongs to {}", owners.join(", "));
                self.found.error("file.foreign-key", message).at(place).hint("take it out");
            }
        }
    }
}

/// Words of which only the row is of interest.
struct Words<T: 'static>(&'static Choices<T>);

impl<T> Form for Words<T> {
    type Value = &'static Row<T>;

    fn kind(&mut self, all: &mut Description) -> Kind {
        self.0.describe(all)
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Self::Value> {
        self.0.find(node, found)
    }
}

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
            let listing = Some(Listing { all, part });
            drop((self.read)(&mut Object { listing, ..Object::nothing(silent) }));
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
    object.asked
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
                choice::row,
                key::key,
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
            env::interpolate(&tree(text), &environment, None, told).tree
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
