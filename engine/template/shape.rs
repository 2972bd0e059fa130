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
const MAX_ELEMENTS: usize = 1_000_000;

/// The value of a shape; `None` is absent.
pub fn evaluate(shape: &Shape, scope: &Scope<'_>) -> Result<Option<Value>, Fault> {
    Ok(borrowed(shape, scope)?.map(Cow::into_owned))
}

/// The value of a shape, borrowed where possible.
pub fn borrowed<'a>(shape: &'a Shape, scope: &Scope<'a>) -> Result<Found<'a>, Fault> {
    below(shape, scope, &mut 0)
}

fn below<'a>(
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
fn mapped<'a>(
    map: &'a MapShape,
    scope: &Scope<'a>,
    elements: &mut usize,
) -> Result<Found<'a>, Fault> {
    let fault = |message: String| Fault { message, from_input: template_reads_input(&map.list) };
    let Some(list) = value(&map.list, scope)? else { return Ok(None) };
    let Value::Array(items) = list.as_ref() else {
        let (source, found) = (shown(&map.list.source), kind(&list));
        return Err(fault(format!("`{source}` must be a list, not {found}")));
    };
    *elements += items.len();
    if *elements > MAX_ELEMENTS {
        return Err(fault("`$map` goes through more than 1 000 000 elements".to_owned()));
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
