//! Lists and objects: `length flatten unique pluck find sort get merge pick omit object join`

use std::{borrow::Cow, cmp::Ordering};

use serde_json::{Map, Value};

use crate::template::{
    helpers::{
        args::{Args, Complaint},
        logic,
    },
    values::{member, plain_text},
};

/// Characters, elements, members.
pub fn length(args: &Args<'_>) -> Result<Value, Complaint> {
    let count = match args.at(0) {
        Some(Value::String(text)) => text.chars().count(),
        Some(Value::Array(list)) => list.len(),
        Some(Value::Object(map)) => map.len(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {
            return Err("needs a text, a list or an object".to_owned());
        }
    };
    Ok(count.into())
}

/// One list of the elements of lists; other elements stay.
pub fn flatten(args: &Args<'_>) -> Result<Value, Complaint> {
    let mut out = Vec::new();
    for element in args.list(0)? {
        match element {
            Value::Array(list) => out.extend_from_slice(list),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => {
                out.push(element.clone());
            }
        }
    }
    Ok(out.into())
}

/// Without repetitions.
pub fn unique(args: &Args<'_>) -> Result<Value, Complaint> {
    // By text, so that long lists do not take the square of their length.
    let mut seen = std::collections::HashSet::new();
    let list = args.list(0)?.iter().filter(|element| seen.insert(element.to_string()));
    Ok(list.cloned().collect())
}

/// A member of each element.
pub fn pluck(args: &Args<'_>) -> Result<Value, Complaint> {
    let name = args.text(1)?;
    Ok(args.list(0)?.iter().filter_map(|element| member(element, &name)).cloned().collect())
}

/// The first element whose member has that value.
pub fn find(mut args: Args<'_>) -> Result<Option<Cow<'_, Value>>, Complaint> {
    let name = args.text(1)?.into_owned();
    let wanted = args.at(2).cloned();
    args.list(0)?;
    let fits = |element: &&Value| {
        member(element, &name).zip(wanted.as_ref()).is_some_and(|(a, b)| logic::equal(a, b))
    };
    Ok(match args.take(0) {
        Some(Cow::Borrowed(Value::Array(list))) => list.iter().find(fits).map(Cow::Borrowed),
        Some(Cow::Owned(Value::Array(list))) => list.iter().find(fits).cloned().map(Cow::Owned),
        _ => None,
    })
}

/// Ascending, stable. Elements without the member, or of another kind, stand last.
pub fn sort(args: &Args<'_>) -> Result<Value, Complaint> {
    let mut list = args.list(0)?.clone();
    let by = args.option("by")?;
    let key =
        |value: &Value| by.map_or_else(|| Some(value.clone()), |by| member(value, by).cloned());
    list.sort_by(|one, other| match (key(one), key(other)) {
        (Some(one), Some(other)) => logic::order(&one, &other).unwrap_or(Ordering::Equal),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    Ok(list.into())
}

/// A member or element.
pub fn get(mut args: Args<'_>) -> Result<Option<Cow<'_, Value>>, Complaint> {
    let name = args.text(1)?.into_owned();
    Ok(match args.take(0) {
        Some(Cow::Borrowed(value)) => member(value, &name).map(Cow::Borrowed),
        Some(Cow::Owned(value)) => member(&value, &name).cloned().map(Cow::Owned),
        None => None,
    })
}

/// All members; later ones win.
pub fn merge(args: &Args<'_>) -> Result<Value, Complaint> {
    let mut out = Map::new();
    for index in 0..args.args.len() {
        out.extend(args.object(index)?.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    Ok(Value::Object(out))
}

/// `pick` and `omit`.
pub fn select(args: &Args<'_>, keep: bool) -> Result<Value, Complaint> {
    let names: Result<Vec<_>, _> = (1..args.args.len()).map(|index| args.text(index)).collect();
    let names = names?;
    let named = |name: &String| names.iter().any(|n| n == name.as_str());
    let members = args.object(0)?.iter().filter(|(name, _)| named(name) == keep);
    Ok(members.map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// The named arguments.
pub fn object(args: Args<'_>) -> Value {
    args.named.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
}

/// Texts and numbers of a list, joined.
pub fn join(args: &Args<'_>) -> Result<Value, Complaint> {
    let separator = if args.args.len() > 1 { args.text(1)? } else { Cow::Borrowed(",") };
    let texts: Option<Vec<_>> = args.list(0)?.iter().map(plain_text).collect();
    let texts = texts.ok_or("the list must hold texts, numbers and booleans only")?;
    Ok(texts.join(&separator).into())
}
