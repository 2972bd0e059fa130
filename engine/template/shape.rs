//! Shapes × [`Scope`] → values: objects, lists and `$map`.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    model::template::{MapShape, Shape},
    template::{
        describe::{shown, template_reads_input},
        evaluate::{Found, boolean, value},
        functions::args::kind,
        scope::{Fault, Scope},
    },
};

/// Elements that the `$map`s of one shape may go through in all.
pub const MAX_ELEMENTS: usize = 1_000_000;

/// The value of a shape; `None` is absent.
pub fn evaluate(shape: &Shape, scope: &Scope<'_>) -> Result<Option<Value>, Fault> {
    Ok(borrowed(shape, scope)?.map(Cow::into_owned))
}

/// The value of a shape, borrowed where possible.
pub fn borrowed<'a>(shape: &'a Shape, scope: &Scope<'a>) -> Result<Found<'a>, Fault> {
    below(shape, scope, &mut 0)
}

/// The same, counting elements.
pub fn below<'a>(
    shape: &'a Shape,
    scope: &Scope<'a>,
    elements: &mut usize,
) -> Result<Found<'a>, Fault> {
    match shape {
        Shape::Literal(value) => Ok(Some(Cow::Borrowed(value))),
        Shape::Template(template) => value(template, scope),
        Shape::Object(members) => {
            let mut object = Map::with_capacity(members.len());
            for (name, shape) in members {
                if let Some(value) = below(shape, scope, elements)? {
                    object.insert(name.clone(), value.into_owned());
                }
            }
            Ok(Some(Cow::Owned(object.into())))
        }
        Shape::List(shapes) => {
            let mut list = Vec::with_capacity(shapes.len());
            for shape in shapes {
                list.extend(below(shape, scope, elements)?.map(Cow::into_owned));
            }
            Ok(Some(Cow::Owned(list.into())))
        }
        Shape::Map(map) => mapped(map, scope, elements),
    }
}

/// `$map`: an absent list is an absent result.
pub fn mapped<'a>(
    map: &'a MapShape,
    scope: &Scope<'a>,
    elements: &mut usize,
) -> Result<Found<'a>, Fault> {
    let Some(list) = value(&map.list, scope)? else { return Ok(None) };
    let Value::Array(items) = list.as_ref() else { return Err(not_a_list(map, &list)) };
    *elements += items.len();
    if *elements > MAX_ELEMENTS {
        return Err(too_many(map));
    }
    let mut inner = scope.clone().with(map.name.as_str(), &Value::Null);
    let mut mapped = Vec::with_capacity(items.len());
    for item in items {
        inner.rebind(item);
        if let Some(filter) = &map.filter
            && !boolean(filter, &inner)?
        {
            continue;
        }
        mapped.extend(below(&map.to, &inner, elements)?.map(Cow::into_owned));
    }
    Ok(Some(Cow::Owned(mapped.into())))
}

/// `$map` over something else.
pub fn not_a_list(map: &MapShape, found: &Value) -> Fault {
    let (source, found) = (shown(&map.list.source), kind(found));
    fault(map, format!("`{source}` must be a list, not {found}"))
}

/// `$map` over too much.
pub fn too_many(map: &MapShape) -> Fault {
    fault(map, "`$map` goes through more than 1 000 000 elements".to_owned())
}

fn fault(map: &MapShape, message: String) -> Fault {
    Fault { message, from_input: template_reads_input(&map.list) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        model::{template::Template, time::Timestamp},
        template::parse::parse,
    };

    fn template(text: &str) -> Template {
        parse(text).unwrap()
    }

    fn map(list: &str, filter: Option<&str>, to: Shape) -> Shape {
        Shape::Map(Box::new(MapShape {
            list: template(list),
            name: "x".to_owned(),
            filter: filter.map(template),
            to,
        }))
    }

    #[track_caller]
    fn gives(shape: &Shape, wanted: Result<Option<Value>, &str>) {
        let input =
            json!({"rows": [{"a": 1, "k": [1, 2]}, {"a": 2, "k": []}, {"k": [3]}], "n": null});
        let scope = Scope::new(Timestamp(0)).with("input", &input);
        match (evaluate(shape, &scope), wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found, wanted),
            (Err(fault), Err(wanted)) => assert!(fault.message.contains(wanted), "{fault}"),
            (found, wanted) => panic!("{found:?} is not {wanted:?}"),
        }
    }

    #[test]
    fn absent_members_and_elements_are_left_out() {
        let part = |text: &str| Shape::Template(template(text));
        let members = vec![
            ("a".to_owned(), part("{{input.none}}")),
            ("n".to_owned(), part("{{input.n}}")),
            ("l".to_owned(), Shape::List(vec![part("{{input.none}}"), Shape::Literal(json!(1))])),
        ];
        gives(&Shape::Object(members), Ok(Some(json!({"n": null, "l": [1]}))));
        gives(&part("{{input.none}}"), Ok(None));
    }

    #[test]
    fn map_goes_through_lists() {
        let a = || Shape::Template(template("{{opt x.a}}"));
        gives(&map("{{input.rows}}", None, a()), Ok(Some(json!([1, 2]))));
        gives(&map("{{input.rows}}", Some("{{eq (opt x.a) 2}}"), a()), Ok(Some(json!([2]))));
        gives(&map("{{input.none}}", None, a()), Ok(None));
        gives(&map("{{input.n}}", None, a()), Err("must be a list, not null"));
        gives(&map("{{input.rows}}", Some("{{opt x.a}}"), a()), Err("must be true or false"));
        let inner = map("{{x.k}}", None, Shape::Template(template("{{x}}")));
        gives(&map("{{input.rows}}", None, inner), Ok(Some(json!([[1, 2], [], [3]]))));
        let sorted = map(
            "{{sort (pluck input.rows \"a\") desc=true}}",
            None,
            Shape::Template(template("n{{x}}")),
        );
        gives(&sorted, Ok(Some(json!(["n2", "n1"]))));
    }

    #[test]
    fn loops_within_loops_are_bounded() {
        let list: Value = (0..2000).collect();
        let scope = Scope::new(Timestamp(0)).with("l", &list);
        let deep = map("{{l}}", None, map("{{l}}", None, Shape::Literal(json!(1))));
        assert!(evaluate(&deep, &scope).unwrap_err().message.contains("1 000 000"));
    }
}
