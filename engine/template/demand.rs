//! Which parts of an answer are read, so that the rest of its JSON is skipped unread (`project`).
//!
//! Sound before clever: evaluating over the projected value equals evaluating over the whole.
//! Lists are transparent: a list has the demand of its elements, whatever their index.

use std::collections::{BTreeMap, btree_map::Entry};

use serde_json::Value;

use crate::{
    model::template::{Call, Expr, MapShape, Part, Path, Shape, Template},
    template::functions::{self, Reads},
};

/// Indices in one path; each could be the name of a member as well.
const MAX_INDICES: usize = 6;

/// What of a value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Everything.
    All,
    /// These members; of a list, these members of its elements. Empty: only what kind it is, the
    /// value itself if it is a scalar, and how long if it is a list.
    Members(BTreeMap<String, Self>),
}

impl Demand {
    /// Nothing but the kind.
    pub const fn kind() -> Self {
        Self::Members(BTreeMap::new())
    }

    /// Adds what the other one reads.
    pub fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Members(mine), Self::Members(theirs)) => {
                for (name, demand) in theirs {
                    match mine.entry(name) {
                        Entry::Vacant(free) => {
                            free.insert(demand);
                        }
                        Entry::Occupied(mut mine) => mine.get_mut().add(demand),
                    }
                }
            }
        }
    }

    /// Everything that either reads.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// Whether nothing is read but the kind.
    pub fn is_kind(&self) -> bool {
        matches!(self, Self::Members(members) if members.is_empty())
    }

    /// Adds a demand at a path. An index goes to the elements, which share this demand, and to a
    /// member of that name.
    fn add_at(&mut self, path: &[&str], demand: &Self) {
        let Self::Members(members) = self else { return };
        let Some((name, rest)) = path.split_first() else { return self.add(demand.clone()) };
        members.entry((*name).to_owned()).or_insert_with(Self::kind).add_at(rest, demand);
        if is_index(name) {
            self.add_at(rest, demand);
        }
    }
}

/// Collects what templates read.
#[derive(Debug, Clone)]
pub struct Demands {
    /// By root.
    read: Demand,
    /// Names that stand for the elements of a list, with its path; `None`: the list is read whole.
    bound: Vec<(String, Option<Vec<String>>)>,
}

impl Default for Demands {
    fn default() -> Self {
        Self { read: Demand::kind(), bound: Vec::new() }
    }
}

impl Demands {
    /// Nothing is read.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a template reads.
    pub fn template(&mut self, t: &Template) {
        // Parts of a text are scalars, and those are always kept.
        let scalar = t.parts.len() > 1;
        for part in &t.parts {
            match part {
                Part::Text(_) => {}
                Part::Expr(expr) if scalar => self.glance(expr),
                Part::Expr(expr) => self.expr(expr),
            }
        }
    }

    /// What a shape reads.
    pub fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Literal(_) => {}
            Shape::Template(template) => self.template(template),
            Shape::Object(members) => members.iter().for_each(|(_, shape)| self.shape(shape)),
            Shape::List(shapes) => shapes.iter().for_each(|shape| self.shape(shape)),
            Shape::Map(map) => self.map(map),
        }
    }

    /// From here on `name` stands for the elements of the list at `source`.
    pub fn bind(&mut self, name: &str, source: &[&str]) {
        let source = self.resolved(source);
        self.add(source.as_deref(), &Demand::kind());
        self.bound.push((name.to_owned(), source));
    }

    /// What is read of the value at `path`.
    pub fn of(&self, path: &[&str]) -> Demand {
        let mut demand = &self.read;
        for name in path {
            match demand {
                Demand::All => return Demand::All,
                Demand::Members(members) => match members.get(*name) {
                    Some(below) => demand = below,
                    None => return Demand::kind(),
                },
            }
        }
        demand.clone()
    }

    fn map(&mut self, map: &MapShape) {
        match map.list.path() {
            Some(path) => self.bind(&map.name, &path.names()),
            None => {
                self.template(&map.list);
                self.bound.push((map.name.clone(), None));
            }
        }
        map.filter.iter().for_each(|filter| self.template(filter));
        self.shape(&map.to);
        self.bound.pop();
    }

    /// An expression whose whole value is used.
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(_) => {}
            Expr::Path(path) => self.path(path, &[], &Demand::All),
            Expr::Call(call) => self.call(call),
        }
    }

    /// An expression of which only the kind is used, and the value if it is a scalar.
    fn glance(&mut self, expr: &Expr) {
        match expr {
            Expr::Path(path) => self.path(path, &[], &Demand::kind()),
            Expr::Literal(_) | Expr::Call(_) => self.expr(expr),
        }
    }

    fn call(&mut self, call: &Call) {
        let reads = functions::find(call.helper).map_or(Reads::Values, |function| function.reads);
        match (reads, call.args.as_slice()) {
            (Reads::Kinds, args) => self.glances(args),
            (Reads::Compared, args @ [a, b]) if is_scalar(a) || is_scalar(b) => self.glances(args),
            (Reads::Condition, [condition, rest @ ..]) => {
                self.glance(condition);
                self.exprs(rest);
            }
            (Reads::Member, [Expr::Path(list), Expr::Literal(Value::String(key))]) => {
                self.path(list, &[], &Demand::kind());
                self.path(list, &[key], &Demand::All);
            }
            (Reads::Values | Reads::Compared | Reads::Condition | Reads::Member, args) => {
                self.exprs(args);
            }
        }
        call.named.iter().for_each(|(_, arg)| self.expr(arg));
    }

    fn exprs(&mut self, args: &[Expr]) {
        for arg in args {
            self.expr(arg);
        }
    }

    fn glances(&mut self, args: &[Expr]) {
        for arg in args {
            self.glance(arg);
        }
    }

    fn path(&mut self, path: &Path, more: &[&str], demand: &Demand) {
        let mut names = path.names();
        names.extend(more);
        let resolved = self.resolved(&names);
        self.add(resolved.as_deref(), demand);
    }

    fn add(&mut self, path: Option<&[String]>, demand: &Demand) {
        let Some(path) = path else { return };
        let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut indices = 0;
        let end = path.iter().position(|name| {
            indices += usize::from(is_index(name));
            indices > MAX_INDICES
        });
        match end {
            Some(end) => {
                path.truncate(end);
                self.read.add_at(&path, &Demand::All);
            }
            None => self.read.add_at(&path, demand),
        }
    }

    /// The path from a root that is not bound; `None` if it is read whole anyway.
    fn resolved(&self, path: &[&str]) -> Option<Vec<String>> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let Some((root, rest)) = path.split_first() else { return Some(Vec::new()) };
        match self.bound.iter().rev().find(|(name, _)| name == root) {
            None => Some(own(path)),
            Some((_, source)) => {
                let mut resolved = source.clone()?;
                resolved.extend(rest.iter().map(|name| (*name).to_owned()));
                Some(resolved)
            }
        }
    }
}

fn is_index(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}

fn is_scalar(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Literal(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        model::time::Timestamp,
        template::{parse::parse, project::decode, scope::Scope, shape::evaluate},
    };

    fn shape(text: &str) -> Shape {
        Shape::Template(parse(text).unwrap())
    }

    fn map(list: &str, filter: Option<&str>, to: Shape) -> Shape {
        let template = |text: &str| parse(text).unwrap();
        let (list, filter) = (template(list), filter.map(template));
        Shape::Map(Box::new(MapShape { list, name: "x".to_owned(), filter, to }))
    }

    /// `*` is everything, `{a: …}` are members, `-` is nothing.
    fn short(demand: &Demand) -> String {
        match demand {
            Demand::All => "*".to_owned(),
            Demand::Members(members) if members.is_empty() => "-".to_owned(),
            Demand::Members(members) => {
                let member =
                    |(name, demand): (&String, &Demand)| format!("{name}: {}", short(demand));
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
            }
        }
    }

    #[test]
    fn templates_demand_what_they_read() {
        for (text, wanted) in [
            ("plain", "-"),
            ("{{body}}", "*"),
            ("{{body.a.b}}", "{a: {b: *}}"),
            ("{{opt body.[@odata.nextLink]}}", "{@odata.nextLink: *}"),
            ("x {{body.a}}", "{a: -}"),
            ("{{body.a.0.b}}", "{a: {0: {b: *}, b: *}}"),
            ("{{exists body.a}}", "{a: -}"),
            ("{{length body.a}}", "{a: -}"),
            ("{{eq body.a \"x\"}}", "{a: -}"),
            ("{{eq body.a body.b}}", "{a: *, b: *}"),
            ("{{if body.a body.b body.c}}", "{a: -, b: *, c: *}"),
            ("{{pluck body.a \"id\"}}", "{a: {id: *}}"),
            ("{{object a=body.a b=(lower body.b)}}", "{a: *, b: *}"),
            ("{{other.a}}", "-"),
        ] {
            let mut demands = Demands::new();
            demands.shape(&shape(text));
            assert_eq!(short(&demands.of(&["body"])), wanted, "{text}");
        }
    }

    #[test]
    fn names_stand_for_elements() {
        let of = |shape: Shape, path: &[&str]| {
            let mut demands = Demands::new();
            demands.bind("team", &["steps", "teams", "body", "value"]);
            demands.shape(&shape);
            short(&demands.of(path))
        };
        let to =
            Shape::Object(vec![("i".into(), shape("{{x.id}}")), ("n".into(), shape("{{x.a.0}}"))]);
        assert_eq!(
            of(map("{{body.value}}", Some("{{eq x.k 1}}"), to.clone()), &["body"]),
            "{value: {a: *, id: *, k: -}}"
        );
        assert_eq!(of(map("{{sort body.value}}", None, to.clone()), &["body"]), "{value: *}");
        assert_eq!(of(map("{{sort body.value}}", None, to.clone()), &["x"]), "-");
        let inner = map("{{x.list}}", None, shape("{{x.id}}"));
        assert_eq!(of(map("{{body.value}}", None, inner), &["body"]), "{value: {list: {id: *}}}");
        assert_eq!(of(shape("{{team.id}}"), &["steps", "teams"]), "{body: {value: {id: *}}}");
        assert_eq!(of(shape("{{team.id}}"), &["steps", "teams", "body"]), "{value: {id: *}}");
        assert_eq!(of(shape("{{steps}}"), &["steps", "teams", "body", "x"]), "*");
        assert_eq!(of(shape("{{a}}"), &["steps", "teams", "body"]), "{value: -}");
    }

    #[test]
    fn odd_paths_cost_little() {
        let mut demands = Demands::new();
        demands.shape(&shape(&format!("{{{{body{}}}}}", ".0".repeat(2000))));
        assert!(short(&demands.of(&["body"])).len() < 10_000);
    }

    #[test]
    fn decoding_keeps_what_is_demanded() {
        let json = br#"{"value": [{"id": "1", "big": {"x": [1, 2]}, "n": 1.50}, 7, "t", null, [{"id": 2}]],
            "count": 12345678901234567890123, "skip": [1e3], "ok": true}"#;
        let demand = |text: &str| {
            let mut demands = Demands::new();
            demands.shape(&shape(text));
            demands.of(&["body"])
        };
        for (text, wanted) in [
            (
                "{{first body.value.0.id body.value.0.n}}",
                r#"{"value":[{"id":"1","n":1.50},7,"t",null,[{"id":2}]]}"#,
            ),
            ("a {{body.count}}", r#"{"count":12345678901234567890123}"#),
            ("{{length body.value}}", r#"{"value":[{},7,"t",null,[{}]]}"#),
            ("{{exists body.value.big}}", r#"{"value":[{"big":{}},7,"t",null,[{}]]}"#),
            ("x", "{}"),
        ] {
            assert_eq!(decode(json, &demand(text)).unwrap().to_string(), wanted, "{text}");
        }
        assert_eq!(decode(b"-1.0", &Demand::kind()).unwrap().to_string(), "-1.0");
        assert_eq!(decode(b" \"a\\n\" ", &Demand::kind()).unwrap(), json!("a\n"));
        for broken in ["", "{", "{\"a\": }", "[1,]", "{} x", "{\"a\": tru}", "nul"] {
            assert!(decode(broken.as_bytes(), &Demand::kind()).is_err(), "{broken}");
            assert!(decode(broken.as_bytes(), &Demand::All).is_err(), "{broken}");
        }
        let deep = "[".repeat(100_000);
        assert!(decode(deep.as_bytes(), &Demand::kind()).is_err());
        let odd = br#"{"$serde_json::private::Number": "1", "a": 2}"#;
        let _ = decode(odd, &Demand::kind());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop_oneof![Just("a"), Just("b"), Just("0"), Just("c")];
            let members = prop::collection::vec((name, inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ]
        })
    }

    fn path(roots: &'static [&'static str]) -> impl Strategy<Value = String> {
        let names = prop_oneof![Just(".a"), Just(".b"), Just(".0"), Just(".1")];
        (prop::sample::select(roots), prop::collection::vec(names, 0..4))
            .prop_map(|(root, names)| root.to_owned() + &names.concat())
    }

    fn text(roots: &'static [&'static str]) -> impl Strategy<Value = String> {
        let p = || path(roots);
        prop_oneof![
            p().prop_map(|p| format!("{{{{{p}}}}}")),
            p().prop_map(|p| format!("t {{{{{p}}}}}")),
            p().prop_map(|p| format!("{{{{opt {p}}}}}")),
            p().prop_map(|p| format!("{{{{exists {p}}}}}")),
            p().prop_map(|p| format!("{{{{length {p}}}}}")),
            p().prop_map(|p| format!("{{{{pluck {p} \"a\"}}}}")),
            p().prop_map(|p| format!("{{{{eq (opt {p}) 1}}}}")),
            p().prop_map(|p| format!("{{{{ne {p} null}}}}")),
            p().prop_map(|p| format!("{{{{json {p}}}}}")),
            (p(), p()).prop_map(|(p, q)| format!("{{{{eq {p} {q}}}}}")),
            (p(), p(), p()).prop_map(|(p, q, r)| format!("{{{{if {p} {q} (first {r} {p})}}}}")),
            (p(), p()).prop_map(|(p, q)| format!("{{{{or (not {p}) (and {q})}}}}")),
            (p(), p()).prop_map(|(p, q)| format!("{{{{find {p} \"a\" {q}}}}}")),
        ]
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let leaf = text(&["body", "x"]).prop_map(|text| shape(&text));
        leaf.prop_recursive(3, 8, 3, |inner| {
            let list = text(&["body", "x"]);
            let filter = prop::option::of(text(&["x"]));
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..3).prop_map(Shape::List),
                (list, filter, inner).prop_map(|(list, filter, to)| map(
                    &list,
                    filter.as_deref(),
                    to
                )),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_projection_gives_the_same_result(body in value(), shape in shapes()) {
            let mut demands = Demands::new();
            demands.shape(&shape);
            let json = serde_json::to_vec(&body).unwrap();
            let projected = decode(&json, &demands.of(&["body"])).unwrap();
            for lenient in [true, false] {
                let run = |body: &Value| {
                    let mut scope = Scope::new(Timestamp(0)).with("body", body);
                    scope.lenient = lenient;
                    evaluate(&shape, &scope).map(|value| value.map(|value| value.to_string()))
                };
                prop_assert_eq!(run(&projected), run(&body));
            }
        }

        #[test]
        fn demanding_all_is_reading(body in value()) {
            let json = serde_json::to_vec(&body).unwrap();
            prop_assert_eq!(decode(&json, &Demand::All).unwrap(), body);
        }
    }
}
