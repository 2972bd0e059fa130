//! The rows of a page.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use crate::{
    model::{pagination::Pagination, time::Timestamp},
    template::{self, Fault, Scope},
    value::path,
};

/// The rows of a page, borrowed where possible. A list that is absent or null has none.
pub fn of<'a>(
    pagination: &'a Pagination,
    body: &'a Value,
    scope: &Scope<'a>,
) -> Result<Cow<'a, Value>, Fault> {
    let found = match &pagination.items {
        None => Cow::Borrowed(body),
        Some(template) => {
            let mut scope = scope.clone();
            scope.lenient = true;
            template::value(template, &scope)?.unwrap_or(Cow::Owned(Value::Null))
        }
    };
    match *found {
        Value::Array(_) => Ok(found),
        Value::Null => Ok(Cow::Owned(Value::Array(Vec::new()))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Err(Fault {
            message: "`paginate.items` is not a list in this answer".to_owned(),
            from_input: false,
        }),
    }
}

/// Moves the rows of a page over; copies only where `items` is more than a plain path.
pub fn take(
    pagination: &Pagination,
    body: &mut Value,
    rows: &mut Vec<Value>,
    scope: &Scope<'_>,
) -> Result<(), Fault> {
    let place = match &pagination.items {
        None => Some(&mut *body),
        Some(template) => {
            let path = template.path().filter(|path| path.root == "body");
            path.and_then(|path| path::get_mut(body, &path.segments))
        }
    };
    if let Some(Value::Array(list)) = place {
        rows.append(list);
        return Ok(());
    }
    let scope = scope.clone().with("body", body);
    match of(pagination, body, &scope)?.as_ref() {
        Value::Array(list) => rows.extend_from_slice(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
    }
    Ok(())
}

/// The last page of an API that counts: some answer with it again and again behind the end.
#[derive(Default)]
pub struct LastPage {
    raw: Bytes,
    rows: usize,
}

impl LastPage {
    /// Whether the page at hand has the rows of the one before; then it takes that one's place.
    /// `read` are all rows before it. They are there as far as anything reads them; where these are
    /// equal, the bytes decide.
    pub fn repeats(
        &mut self,
        pagination: &Pagination,
        raw: Bytes,
        read: &[Value],
        rows: &[Value],
    ) -> bool {
        if !pagination.kind.counts() {
            return false;
        }
        let last = std::mem::replace(self, Self { raw, rows: rows.len() });
        rows.first().is_some_and(Value::is_object)
            && last.rows == rows.len()
            && read.ends_with(rows)
            && (last.raw == self.raw
                || whole(pagination, &last.raw) == whole(pagination, &self.raw))
    }
}

/// All of the rows of a page; `None` if it has none.
fn whole(pagination: &Pagination, raw: &[u8]) -> Option<Value> {
    let body = serde_json::from_slice(raw).ok()?;
    of(pagination, &body, &Scope::new(Timestamp(0)).with("body", &body)).ok().map(Cow::into_owned)
}
