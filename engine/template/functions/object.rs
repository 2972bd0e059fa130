//! Objects: `get merge pick omit object`.

use serde_json::{Map, Value};

use crate::template::functions::args::{Args, Outcome, text_of, wrong};

/// A member by its name, or an element by its index; absent if there is none.
pub fn get(args: &mut Args<'_>) -> Outcome {
    match args.value(0) {
        Value::Object(members) => Ok(members.get(args.text(1)?.as_ref()).cloned()),
        Value::Array(list) => Ok(list.get(args.index(1)?).cloned()),
        Value::Null => Ok(None),
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            Err(wrong(0, "an object or a list", other))
        }
    }
}

/// One object of all members; later ones win.
pub fn merge(args: &mut Args<'_>) -> Outcome {
    let mut merged = args.take_object(0)?;
    for i in 1..args.count() {
        merged.extend(args.take_object(i)?);
    }
    Ok(Some(merged.into()))
}

/// Only these members.
pub fn pick(args: &mut Args<'_>) -> Outcome {
    let mut members = args.take_object(0)?;
    let names = names(args)?;
    let mut picked = Map::new();
    for name in names {
        if let Some(value) = members.shift_remove(&name) {
            picked.insert(name, value);
        }
    }
    Ok(Some(picked.into()))
}

/// All but these members.
pub fn omit(args: &mut Args<'_>) -> Outcome {
    let mut members = args.take_object(0)?;
    let names = names(args)?;
    members.retain(|name, _| !names.contains(name));
    Ok(Some(members.into()))
}

/// An object of the named arguments; absent ones are left out.
#[expect(clippy::unnecessary_wraps, reason = "the signature is the table's")]
pub fn object(args: &mut Args<'_>) -> Outcome {
    let members = args.named.drain(..).map(|(name, v)| (name.to_owned(), v.into_owned()));
    Ok(Some(Value::Object(members.collect())))
}

/// Names after the first argument, one by one or as lists.
fn names(args: &Args<'_>) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for i in 1..args.count() {
        let Value::Array(list) = args.value(i) else {
            names.push(args.text(i)?.into_owned());
            continue;
        };
        for name in list {
            let text = text_of(name).ok_or_else(|| wrong(i, "a list of names", name))?;
            names.push(text.into_owned());
        }
    }
    Ok(names)
}
