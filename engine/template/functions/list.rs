//! Lists: `flatten unique pluck find slice sort`.

use std::{cmp::Ordering, collections::HashSet};

use serde_json::Value;

use crate::{
    template::functions::{
        args::{Args, Outcome},
        compare,
    },
    value,
};

/// A list of lists becomes one list; other elements stay. One level only.
pub fn flatten(args: &mut Args<'_>) -> Outcome {
    let mut flat = Vec::new();
    for item in args.take_list(0)? {
        match item {
            Value::Array(inner) => flat.extend(inner),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => flat.push(item),
        }
    }
    Ok(Some(flat.into()))
}

/// The first of equal elements stays.
pub fn unique(args: &mut Args<'_>) -> Outcome {
    let mut list = args.take_list(0)?;
    let mut seen = HashSet::new();
    list.retain(|item| seen.insert(value::canonical(item)));
    Ok(Some(list.into()))
}

/// One member of each element; elements without it are left out.
pub fn pluck(args: &mut Args<'_>) -> Outcome {
    let key = args.text(1)?;
    Ok(Some(args.list(0)?.iter().filter_map(|item| item.get(key.as_ref())).cloned().collect()))
}

/// The first element whose member is the value; absent if there is none.
pub fn find(args: &mut Args<'_>) -> Outcome {
    let (key, wanted) = (args.text(1)?, args.value(2));
    let fits = |item: &&Value| item.get(key.as_ref()).is_some_and(|v| value::equal(v, wanted));
    Ok(args.list(0)?.iter().find(fits).cloned())
}

/// The elements from one position up to another, which is not included.
pub fn slice(args: &mut Args<'_>) -> Outcome {
    let from = args.index(1)?;
    let to = if args.count() > 2 { args.index(2)? } else { usize::MAX };
    Ok(Some(args.take_list(0)?.into_iter().take(to).skip(from).collect()))
}

/// In rising order, by the element itself or by a member; elements without it come last.
pub fn sort(args: &mut Args<'_>) -> Outcome {
    let falling = match args.option("desc") {
        None => false,
        Some(Value::Bool(falling)) => *falling,
        Some(_) => return Err("`desc` must be true or false".to_owned()),
    };
    let by = args.option_text("by")?.map(std::borrow::Cow::into_owned);
    let mut list = args.take_list(0)?;
    let key = |item: &Value| match &by {
        Some(by) => item.get(by).filter(|value| !value.is_null()).cloned(),
        None => Some(item.clone()).filter(|value| !value.is_null()),
    };
    let mut keyed: Vec<(Option<Value>, Value)> =
        list.drain(..).map(|item| (key(&item), item)).collect();
    // One kind of key, or there is no order; checked first, since a sort must not change its mind.
    let mut keys = keyed.iter().filter_map(|(key, _)| key.as_ref());
    if let Some(first) = keys.next()
        && !std::iter::once(first).chain(keys).all(|key| compare::order(first, key).is_some())
    {
        return Err("all elements must be sorted by numbers, or all by strings".to_owned());
    }
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => {
            let order = compare::order(a, b).unwrap_or(Ordering::Equal);
            if falling { order.reverse() } else { order }
        }
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    Ok(Some(keyed.into_iter().map(|(_, item)| item).collect()))
}
