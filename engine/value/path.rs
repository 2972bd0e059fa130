//! Values inside of values: a path is a list of names, and an index names an element of a list.

use serde_json::{Map, Value};

/// The value at a path; there is nothing below null and scalars.
pub fn get<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Object(members) => members.get(name),
        Value::Array(list) => list.get(index(name)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The same, to be changed.
pub fn get_mut<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Object(members) => members.get_mut(name),
        Value::Array(list) => list.get_mut(index(name)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// Puts a value at a path of members; what stands in the way gives place to an object.
pub fn put(target: &mut Value, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Some(members) = target.as_object_mut() {
        put(members.entry(first.clone()).or_insert(Value::Null), rest, value);
    }
}

/// `usize::from_str` would take `+1`, too.
fn index(name: &str) -> Option<usize> {
    name.bytes().all(|b| b.is_ascii_digit()).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split_terminator('.').map(str::to_owned).collect()
    }

    #[test]
    fn names_and_indices_lead_inside() {
        let mut value = json!({"a": [{"b": 1}, null], "0": {"+1": 2}});
        for (at, wanted) in [
            ("", Some(value.clone())),
            ("a.0.b", Some(json!(1))),
            ("a.1", Some(json!(null))),
            ("a.1.x", None),
            ("a.+1", None),
            ("a.7", None),
            ("0.+1", Some(json!(2))),
            ("a.0.b.c", None),
        ] {
            assert_eq!(get(&value, &path(at)), wanted.as_ref(), "{at}");
            assert_eq!(get_mut(&mut value, &path(at)).cloned(), wanted, "{at}");
        }
    }

    #[test]
    fn what_is_put_makes_its_way() {
        for (target, at, wanted) in [
            (json!({"a": {"b": 1}}), "a.c", json!({"a": {"b": 1, "c": 7}})),
            (json!({"a": 5}), "a.b.c", json!({"a": {"b": {"c": 7}}})),
            (json!([1]), "0", json!({"0": 7})),
            (json!(null), "", json!(7)),
        ] {
            let mut found = target.clone();
            put(&mut found, &path(at), json!(7));
            assert_eq!(found, wanted, "{target} {at}");
        }
    }
}
