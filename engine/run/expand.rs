//! What a step is executed for, as far as its templates say. Pure.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    model::action::{Each, Step},
    template::{self, Fault, Scope},
};

/// Whether it is executed at all.
pub fn is_wanted(step: &Step, scope: &Scope<'_>) -> Result<bool, Fault> {
    step.condition.as_ref().map_or(Ok(true), |condition| template::boolean(condition, scope))
}

/// The items of an `each`: the elements of its list, or batches of them.
pub fn items<'a>(
    step: &Step,
    each: &'a Each,
    scope: &Scope<'a>,
) -> Result<Cow<'a, [Value]>, Fault> {
    let list: Cow<'a, [Value]> = match template::value(&each.list, scope)? {
        Some(Cow::Borrowed(Value::Array(list))) => Cow::Borrowed(list),
        Some(Cow::Owned(Value::Array(list))) => Cow::Owned(list),
        // An optional input that is left out, or a list that an answer leaves empty.
        None => Cow::Borrowed(&[]),
        Some(value) if value.is_null() => Cow::Borrowed(&[]),
        Some(_) => {
            let message = format!("`each` of step `{}` needs a list", step.id);
            return Err(Fault { message, from_input: template::reads_input(&each.list) });
        }
    };
    Ok(match each.batch {
        None => list,
        Some(size) => list.chunks(size.max(1)).map(|batch| batch.to_vec().into()).collect(),
    })
}
