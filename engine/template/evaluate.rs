//! [`Template`] × [`Scope`] → values. Borrows: a path never copies.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    model::template::{Call, Expr, MapShape, Part, Path, Shape, Template},
    template::{
        fuel::Fuel,
        helpers::{self, Args},
        scope::{Fault, Scope},
        values::{kind, member, plain_text, spelled},
    },
};

/// What an expression comes to; `None` is absent.
pub type Found<'a> = Option<Cow<'a, Value>>;

/// The JSON value of a template; `None` is absent. Borrowed from the scope where possible.
pub fn value<'a>(template: &'a Template, scope: &Scope<'a>) -> Result<Found<'a>, Fault> {
    let mut fuel = Fuel::new();
    template_value(template, scope, &mut fuel)
}

/// The value of a shape; `None` is absent.
pub fn evaluate(shape: &Shape, scope: &Scope<'_>) -> Result<Option<Value>, Fault> {
    let mut fuel = Fuel::new();
    Ok(shape_value(shape, scope, &mut fuel)?.map(Cow::into_owned))
}

/// A condition: must be a boolean.
pub fn boolean(template: &Template, scope: &Scope<'_>) -> Result<bool, Fault> {
    match value(template, scope)?.as_deref() {
        Some(Value::Bool(value)) => Ok(*value),
        found => Err(Fault {
            message: format!("`{}` must be true or false, and is {}", template.source, kind(found)),
            from_input: reads_input(template),
        }),
    }
}

/// Text for a header or a text body: string, number or boolean; `None` is absent.
pub fn text(template: &Template, scope: &Scope<'_>) -> Result<Option<String>, Fault> {
    match value(template, scope)? {
        None => Ok(None),
        Some(found) => {
            plain_text(&found).map(|text| Some(text.into_owned())).ok_or_else(|| Fault {
                message: format!(
                    "`{}` must be a text here, and is {}",
                    template.source,
                    kind(Some(&found))
                ),
                from_input: reads_input(template),
            })
        }
    }
}

fn template_value<'a>(
    template: &'a Template,
    scope: &Scope<'a>,
    fuel: &mut Fuel,
) -> Result<Found<'a>, Fault> {
    if let Some(expr) = template.lone() {
        return expr_value(expr, scope, fuel);
    }
    if let Some(text) = template.as_text() {
        return Ok(Some(Cow::Owned(text.into())));
    }
    let mut out = String::with_capacity(template.source.len());
    for part in &template.parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Expr(expr) => match expr_value(expr, scope, fuel)? {
                Some(found) => match plain_text(&found) {
                    Some(text) => out.push_str(&text),
                    None => return Err(not_text(template, expr, &found)),
                },
                None => return Err(missing_in_text(template, expr)),
            },
        }
    }
    fuel.text(out.len())?;
    Ok(Some(Cow::Owned(out.into())))
}

/// The value of one expression.
pub fn expr_value<'a>(
    expr: &'a Expr,
    scope: &Scope<'a>,
    fuel: &mut Fuel,
) -> Result<Found<'a>, Fault> {
    fuel.step()?;
    match expr {
        Expr::Literal(value) => Ok(Some(Cow::Borrowed(value))),
        Expr::Path(path) => match follow(path, scope) {
            Some(value) => Ok(Some(Cow::Borrowed(value))),
            // The schema decides whether an input may be absent; everything else must exist.
            None if path.root == "input" || scope.lenient => Ok(None),
            None => Err(absent(path, scope)),
        },
        Expr::Call(call) => {
            fuel.deeper()?;
            let result = call_value(call, scope, fuel);
            fuel.back();
            result
        }
    }
}

/// Arguments, then the helper.
fn call_value<'a>(call: &'a Call, scope: &Scope<'a>, fuel: &mut Fuel) -> Result<Found<'a>, Fault> {
    let tolerant = matches!(call.helper, "opt" | "default" | "first" | "exists");
    let counts_absent = matches!(call.helper, "eq" | "ne" | "and" | "or" | "not");
    if call.helper == "if" {
        return choose(call, scope, fuel);
    }
    let mut inner = scope.clone();
    inner.lenient |= tolerant;
    let mut args = Vec::with_capacity(call.args.len());
    for arg in &call.args {
        let found = expr_value(arg, &inner, fuel)?;
        let settles = found.as_deref().is_some_and(|value| !value.is_null());
        if found.is_none() && !tolerant && !counts_absent {
            return Ok(None);
        }
        args.push(found);
        // The first that is there is enough: the others need not even exist.
        if settles && matches!(call.helper, "first" | "default") {
            break;
        }
    }
    let mut named = Vec::with_capacity(call.named.len());
    for (name, expr) in &call.named {
        if let Some(found) = expr_value(expr, scope, fuel)? {
            named.push((name.as_str(), found));
        }
    }
    let args = Args { helper: call.helper, args, named, now: scope.now };
    let made = helpers::call(args).map_err(|message| Fault {
        message: format!("`{}`: {message}", call.helper),
        from_input: call.args.iter().chain(call.named.iter().map(|(_, e)| e)).any(expr_reads_input),
    })?;
    if let Some(Cow::Owned(Value::String(text))) = &made {
        fuel.text(text.len())?;
    }
    Ok(made)
}

/// Only the chosen branch is evaluated.
fn choose<'a>(call: &'a Call, scope: &Scope<'a>, fuel: &mut Fuel) -> Result<Found<'a>, Fault> {
    let Some(condition) = call.args.first() else { return Ok(None) };
    let branch = match expr_value(condition, scope, fuel)?.as_deref() {
        None => return Ok(None),
        Some(Value::Bool(true)) => call.args.get(1),
        Some(Value::Bool(false)) => call.args.get(2),
        found @ Some(_) => {
            let message =
                format!("`if`: its condition must be true or false, and is {}", kind(found));
            return Err(Fault { message, from_input: expr_reads_input(condition) });
        }
    };
    branch.map_or(Ok(None), |expr| expr_value(expr, scope, fuel))
}

/// Walks a path; a step into what is not there, or is no container, is absent.
fn follow<'a>(path: &Path, scope: &Scope<'a>) -> Option<&'a Value> {
    let root = scope.get(&path.root)?;
    path.segments.iter().try_fold(root, |value, segment| member(value, segment))
}

fn shape_value<'a>(
    shape: &'a Shape,
    scope: &Scope<'a>,
    fuel: &mut Fuel,
) -> Result<Found<'a>, Fault> {
    match shape {
        Shape::Literal(value) => Ok(Some(Cow::Borrowed(value))),
        Shape::Template(template) => template_value(template, scope, fuel),
        Shape::Object(members) => {
            let mut map = Map::new();
            for (name, shape) in members {
                if let Some(found) = shape_value(shape, scope, fuel)? {
                    map.insert(name.clone(), found.into_owned());
                }
            }
            Ok(Some(Cow::Owned(Value::Object(map))))
        }
        Shape::List(elements) => {
            let mut list = Vec::with_capacity(elements.len());
            for shape in elements {
                if let Some(found) = shape_value(shape, scope, fuel)? {
                    list.push(found.into_owned());
                }
            }
            Ok(Some(Cow::Owned(Value::Array(list))))
        }
        Shape::Map(map) => Ok(map_value(map, scope, fuel)?.map(Cow::Owned)),
    }
}

/// `$map`: each element has fuel of its own, so that the cost is bounded by the data.
fn map_value(map: &MapShape, scope: &Scope<'_>, fuel: &mut Fuel) -> Result<Option<Value>, Fault> {
    let found = template_value(&map.list, scope, fuel)?;
    let list = match found.as_deref() {
        None => return Ok(None),
        Some(Value::Array(list)) => list,
        other @ Some(_) => {
            return Err(Fault {
                message: format!(
                    "`$map` needs a list, and `{}` is {}",
                    map.list.source,
                    kind(other)
                ),
                from_input: reads_input(&map.list),
            });
        }
    };
    fuel.deeper()?;
    let mut out = Vec::with_capacity(list.len());
    for element in list {
        let scope = scope.clone().with(map.name.as_str(), element);
        if let Some(filter) = &map.filter
            && !boolean(filter, &scope)?
        {
            continue;
        }
        if let Some(value) = shape_value(&map.to, &scope, &mut Fuel::new())? {
            out.push(value.into_owned());
        }
    }
    fuel.back();
    Ok(Some(Value::Array(out)))
}

fn absent(path: &Path, scope: &Scope<'_>) -> Fault {
    let place = spelled(path);
    let reason = match scope.get(&path.root) {
        None => "does not exist here",
        Some(_) => "is absent; write `opt`, `default` or `first` if it may be",
    };
    Fault::new(format!("`{place}` {reason}"))
}

fn missing_in_text(template: &Template, expr: &Expr) -> Fault {
    let what = match expr {
        Expr::Path(path) => spelled(path),
        Expr::Call(call) => call.helper.to_owned(),
        Expr::Literal(_) => "null".to_owned(),
    };
    Fault {
        message: format!("`{what}` is absent, and `{}` needs it", template.source),
        from_input: expr_reads_input(expr),
    }
}

fn not_text(template: &Template, expr: &Expr, found: &Value) -> Fault {
    Fault {
        message: format!(
            "an expression of `{}` is {}, which has no text",
            template.source,
            kind(Some(found))
        ),
        from_input: expr_reads_input(expr),
    }
}

/// Whether a template's value comes from the caller.
pub fn reads_input(template: &Template) -> bool {
    template.parts.iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Expr(expr) => expr_reads_input(expr),
    })
}

/// The same of one expression.
pub fn expr_reads_input(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => path.root == "input",
        Expr::Literal(_) => false,
        Expr::Call(call) => {
            call.args.iter().any(expr_reads_input)
                || call.named.iter().any(|(_, expr)| expr_reads_input(expr))
        }
    }
}
