//! Header fields.

use serde_json::{Map, Value};

use crate::model::http::{Fields, HeaderMap};

/// Fields as an object, in their order; a name that occurs several times has a list.
pub fn headers(headers: &HeaderMap) -> Value {
    let mut map = Map::new();
    for name in headers.keys() {
        let values: Vec<Value> = headers.texts(name).map(Value::from).collect();
        let value = match values.as_slice() {
            [only] => only.clone(),
            _ => Value::Array(values),
        };
        map.insert(name.to_string(), value);
    }
    Value::Object(map)
}
