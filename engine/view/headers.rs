//! Header fields.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Fields as an object, in their order; a name that occurs several times has a list.
pub fn headers<'h>(fields: impl Iterator<Item = (&'h str, Cow<'h, str>)>) -> Value {
    let mut map = Map::new();
    for (name, value) in fields {
        let value = Value::from(value);
        match map.get_mut(name) {
            None => drop(map.insert(name.to_owned(), value)),
            Some(Value::Array(all)) => all.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Value::Object(map)
}
