//! Shapes over a value that nobody needs afterwards: what is read once is moved out of it, not
//! copied. The result is that of [`crate::template::evaluate()`]; a property test holds the two together.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    model::template::{self, Expr, MapShape, Path, Shape, Template},
    template::{
        evaluate::boolean,
        functions,
        scope::{Fault, Scope},
        shape,
        shape::{MAX_ELEMENTS, not_a_list, too_many},
    },
    value::path,
};

/// How a shape is evaluated when one of its roots may be taken apart. Made once, used often, always
/// with the shape that it was made for.
#[derive(Debug)]
pub struct Owned {
    root: &'static str,
    plan: Plan,
}

/// What is done with each part of a shape.
#[derive(Debug)]
enum Plan {
    /// By reference.
    Copy,
    /// The value at its path is moved; where there is none, what the template says.
    Take,
    /// Members, by position; those inside of which nothing can be taken are copied.
    Object(Vec<Self>),
    /// `$map`, whose list is moved element by element.
    Each(Box<Self>),
}

impl Owned {
    /// How to evaluate `shape` when the value of `root` may be taken apart.
    pub fn new(shape: &Shape, root: &'static str) -> Self {
        Self { root, plan: plan(shape, root) }
    }

    /// The value of the shape. `value` is what its root names; `scope` has all the others.
    pub fn evaluate(
        &self,
        shape: &Shape,
        mut value: Value,
        scope: &Scope<'_>,
    ) -> Result<Option<Value>, Fault> {
        let mut taking = Taking { root: self.root, value: &mut value, scope, elements: &mut 0 };
        taking.part(&self.plan, shape)
    }
}

fn plan(shape: &Shape, root: &str) -> Plan {
    let mut reads = Vec::new();
    shape_reads(shape, root, &mut reads);
    below(shape, root, &reads)
}

fn below(shape: &Shape, root: &str, reads: &[&[String]]) -> Plan {
    let alone = |path: &Path| {
        let mut touching = reads.iter().filter(|other| overlap(other, &path.segments));
        path.root == root && touching.next().is_some() && touching.next().is_none()
    };
    match shape {
        Shape::Template(template) if value_path(template).is_some_and(alone) => Plan::Take,
        Shape::Object(members) => {
            let members: Vec<Plan> =
                members.iter().map(|(_, shape)| below(shape, root, reads)).collect();
            let copies = members.iter().all(|plan| matches!(plan, Plan::Copy));
            if copies { Plan::Copy } else { Plan::Object(members) }
        }
        Shape::Map(map) => match map.list.path() {
            Some(path) if alone(path) && map.name != root => {
                Plan::Each(Box::new(plan(&map.to, &map.name)))
            }
            Some(_) | None => Plan::Copy,
        },
        Shape::Template(_) | Shape::Literal(_) | Shape::List(_) => Plan::Copy,
    }
}

/// The path whose value a template is, if it is there: `{{a.b}}`, `{{opt a.b}}`, `{{default a.b …}}`.
pub fn value_path(template: &Template) -> Option<&Path> {
    let lone = template.lone()?;
    let expr = match lone {
        Expr::Call(call) if functions::find(call.helper)?.passes => call.args.first()?,
        Expr::Path(_) | Expr::Literal(_) | Expr::Call(_) => lone,
    };
    match expr {
        Expr::Path(path) => Some(path),
        Expr::Literal(_) | Expr::Call(_) => None,
    }
}

/// Whether one of two paths leads through the other.
fn overlap(one: &[String], other: &[String]) -> bool {
    one.iter().zip(other).all(|(a, b)| a == b)
}

/// A value that is taken apart.
struct Taking<'a> {
    /// The root that names it.
    root: &'a str,
    value: &'a mut Value,
    /// All other roots.
    scope: &'a Scope<'a>,
    /// Elements made so far.
    elements: &'a mut usize,
}

impl Taking<'_> {
    fn part(&mut self, plan: &Plan, shape: &Shape) -> Result<Option<Value>, Fault> {
        match (plan, shape) {
            (Plan::Object(plans), Shape::Object(members)) => return self.object(plans, members),
            (Plan::Each(to), Shape::Map(map)) => return self.each(map, to),
            (Plan::Take, Shape::Template(template)) => {
                if let Some(taken) = take(template, self.value) {
                    return Ok(Some(taken));
                }
            }
            _ => {}
        }
        let scope = self.scope.clone().with(self.root, self.value);
        Ok(shape::below(shape, &scope, self.elements)?.map(Cow::into_owned))
    }

    /// First what is taken, which nothing else reads; then all that is copied, in one scope.
    fn object(
        &mut self,
        plans: &[Plan],
        members: &[(String, Shape)],
    ) -> Result<Option<Value>, Fault> {
        let mut done: Vec<Option<Value>> = Vec::with_capacity(members.len());
        let mut copies = false;
        for (plan, (_, shape)) in plans.iter().zip(members) {
            let taken = match (plan, shape) {
                (Plan::Take, Shape::Template(template)) => take(template, self.value),
                (Plan::Object(_) | Plan::Each(_), _) => self.part(plan, shape)?,
                (Plan::Copy | Plan::Take, _) => None,
            };
            copies |= taken.is_none() && matches!(plan, Plan::Copy | Plan::Take);
            done.push(taken);
        }
        if copies {
            let scope = self.scope.clone().with(self.root, self.value);
            for ((plan, (_, shape)), member) in plans.iter().zip(members).zip(&mut done) {
                if matches!(plan, Plan::Copy | Plan::Take) && member.is_none() {
                    *member = shape::below(shape, &scope, self.elements)?.map(Cow::into_owned);
                }
            }
        }
        let mut object = Map::with_capacity(members.len());
        for ((name, _), member) in members.iter().zip(done) {
            if let Some(member) = member {
                object.insert(name.clone(), member);
            }
        }
        Ok(Some(object.into()))
    }

    fn each(&mut self, map: &MapShape, to: &Plan) -> Result<Option<Value>, Fault> {
        let list = map.list.path().and_then(|path| path::get_mut(self.value, &path.segments));
        let items = match list {
            Some(Value::Array(items)) => std::mem::take(items),
            // Absent or no list: the ordinary way says it.
            Some(other) => return Err(not_a_list(map, other)),
            None => {
                let scope = self.scope.clone().with(self.root, self.value);
                return Ok(shape::mapped(map, &scope, self.elements)?.map(Cow::into_owned));
            }
        };
        *self.elements += items.len();
        if *self.elements > MAX_ELEMENTS {
            return Err(too_many(map));
        }
        let scope = self.scope.clone().with(self.root, self.value);
        let mut mapped = Vec::with_capacity(items.len());
        for mut item in items {
            if let Some(filter) = &map.filter
                && !boolean(filter, &scope.clone().with(map.name.as_str(), &item))?
            {
                continue;
            }
            let mut taking = Taking {
                root: &map.name,
                value: &mut item,
                scope: &scope,
                elements: self.elements,
            };
            mapped.extend(taking.part(to, &map.to)?);
        }
        Ok(Some(mapped.into()))
    }
}

/// The value that a template names, if there is one: null counts only where a plain path names it.
fn take(template: &Template, value: &mut Value) -> Option<Value> {
    let found = path::get_mut(value, &value_path(template)?.segments)?;
    let plain = template.path().is_some();
    (plain || !found.is_null()).then(|| found.take())
}

fn shape_reads<'s>(shape: &'s Shape, root: &str, reads: &mut Vec<&'s [String]>) {
    match shape {
        Shape::Literal(_) => {}
        Shape::Template(template) => template_reads(template, root, reads),
        Shape::Object(members) => members.iter().for_each(|(_, s)| shape_reads(s, root, reads)),
        Shape::List(shapes) => shapes.iter().for_each(|shape| shape_reads(shape, root, reads)),
        Shape::Map(map) => {
            template_reads(&map.list, root, reads);
            map.filter.iter().for_each(|filter| template_reads(filter, root, reads));
            shape_reads(&map.to, root, reads);
        }
    }
}

fn template_reads<'s>(template: &'s Template, root: &str, reads: &mut Vec<&'s [String]>) {
    for part in &template.parts {
        match part {
            template::Part::Text(_) => {}
            template::Part::Expr(expr) => expr_reads(expr, root, reads),
        }
    }
}

fn expr_reads<'s>(expr: &'s Expr, root: &str, reads: &mut Vec<&'s [String]>) {
    match expr {
        Expr::Path(path) if path.root == root => reads.push(&path.segments),
        Expr::Path(_) | Expr::Literal(_) => {}
        Expr::Call(call) => {
            let named = call.named.iter().map(|(_, arg)| arg);
            call.args.iter().chain(named).for_each(|arg| expr_reads(arg, root, reads));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        model::time::Timestamp,
        template::{evaluate, parse::parse},
    };

    fn part(text: &str) -> Shape {
        Shape::Template(parse(text).unwrap())
    }

    fn object(members: &[(&str, &str)]) -> Shape {
        Shape::Object(members.iter().map(|(n, text)| ((*n).to_owned(), part(text))).collect())
    }

    fn map(list: &str, filter: Option<&str>, to: Shape) -> Shape {
        let (list, filter) = (parse(list).unwrap(), filter.map(|text| parse(text).unwrap()));
        Shape::Map(Box::new(MapShape { list, name: "x".to_owned(), filter, to }))
    }

    /// How many values are moved: those that are gone from the value afterwards.
    fn moved(shape: &Shape, value: &Value) -> bool {
        let mut taken = value.clone();
        let owned = Owned::new(shape, "steps");
        let scope = Scope::new(Timestamp(0));
        let mut taking =
            Taking { root: "steps", value: &mut taken, scope: &scope, elements: &mut 0 };
        taking.part(&owned.plan, shape).unwrap();
        taken != *value
    }

    #[test]
    fn what_is_read_once_is_moved() {
        let value = json!({"a": [{"id": 1, "n": "x"}], "b": {"c": "text"}});
        for (shape, wanted) in [
            (part("{{steps.b}}"), true),
            (part("{{opt steps.b.c}}"), true),
            (part("{{default steps.b.c 5}}"), true),
            (part("{{length steps.a}}"), false),
            (part("t{{steps.b.c}}"), false),
            (object(&[("one", "{{steps.b.c}}"), ("two", "{{steps.a}}")]), true),
            (object(&[("one", "{{steps.b.c}}"), ("two", "{{steps.b.c}}")]), false),
            (object(&[("one", "{{steps.b}}"), ("two", "{{steps.b.c}}")]), false),
            (map("{{steps.a}}", Some("{{eq x.id 1}}"), object(&[("n", "{{x.n}}")])), true),
            (map("{{steps.a}}", None, part("{{steps.b.c}}")), true),
            (map("{{steps.a}}", None, part("{{length steps.a}}")), false),
        ] {
            assert_eq!(moved(&shape, &value), wanted, "{shape:?}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop_oneof![Just("a"), Just("b"), Just("0")];
            let members = prop::collection::vec((name, inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
            ]
        })
    }

    fn path() -> impl Strategy<Value = String> {
        let root = prop::sample::select(&["steps", "x", "steps.a", "x.a"][..]);
        let names = prop::sample::select(&["", ".a", ".b", ".0", ".a.b"][..]);
        (root, names).prop_map(|(root, names)| root.to_owned() + names)
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        let text = (path(), path()).prop_flat_map(|(p, q)| {
            prop::sample::select(vec![
                format!("{{{{{p}}}}}"),
                format!("{{{{opt {p}}}}}"),
                format!("{{{{default {p} {q}}}}}"),
                format!("{{{{json {p}}}}}"),
                format!("{{{{exists {p}}}}}"),
            ])
        });
        let leaf = text.prop_map(|text| part(&text));
        leaf.prop_recursive(4, 16, 3, |inner| {
            let members =
                prop::collection::vec((prop::sample::select(&["m", "n"][..]), inner.clone()), 0..4);
            let filter = prop::option::of(path().prop_map(|p| format!("{{{{exists {p}}}}}")));
            prop_oneof![
                members.prop_map(|all| Shape::Object(
                    all.into_iter().map(|(n, s)| (n.to_owned(), s)).collect()
                )),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Shape::List),
                (path(), filter, inner).prop_map(|(list, filter, to)| map(
                    &format!("{{{{{list}}}}}"),
                    filter.as_deref(),
                    to
                )),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn taking_gives_what_copying_gives(value in value(), shape in shapes()) {
            let other = json!({"a": ["b"]});
            let scope = Scope::new(Timestamp(0)).with("x", &other);
            let copied = evaluate(&shape, &scope.clone().with("steps", &value));
            let taken = Owned::new(&shape, "steps").evaluate(&shape, value.clone(), &scope);
            match (copied, taken) {
                (Ok(copied), Ok(taken)) => prop_assert_eq!(copied, taken),
                (copied, taken) => prop_assert_eq!(copied.is_err(), taken.is_err()),
            }
        }
    }
}
