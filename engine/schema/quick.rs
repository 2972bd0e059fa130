//! A first look: whether a value surely fits, without compiling anything. A process that runs one
//! action would spend more on compiling its schemas than on all else that it does before the
//! first request. What is not plainly right is looked at again, by the validator.

use serde_json::{Map, Number, Value, map};

use crate::schema::format;

const OBJECT: &[&str] =
    &["properties", "additionalProperties", "required", "minProperties", "maxProperties"];
const LIST: &[&str] = &["items", "minItems", "maxItems"];
const TEXT: &[&str] = &["minLength", "maxLength", "pattern", "format"];
const NUMBER: &[&str] = &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

/// Whether the value fits, for all to see: it is enough for yes, never for no.
pub fn surely_fits(schema: &Value, value: &Value) -> bool {
    match schema {
        Value::Bool(allowed) => *allowed,
        Value::Object(keywords) => {
            keywords.iter().all(|(keyword, argument)| keeps((keyword, argument), keywords, value))
        }
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}

/// Whether a keyword has surely nothing against the value.
fn keeps((keyword, argument): (&str, &Value), all: &Map<String, Value>, value: &Value) -> bool {
    match keyword {
        "title" | "description" | "default" | "examples" | "readOnly" | "writeOnly"
        | "deprecated" | "$comment" => true,
        "type" => match argument {
            Value::String(name) => is_of(name, value),
            Value::Array(types) => {
                types.iter().any(|name| name.as_str().is_some_and(|name| is_of(name, value)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        },
        "enum" => argument.as_array().is_some_and(|all| all.iter().any(|one| same(one, value))),
        "const" => same(argument, value),
        "allOf" => argument.as_array().is_some_and(|all| all.iter().all(|s| surely_fits(s, value))),
        "anyOf" => argument.as_array().is_some_and(|all| all.iter().any(|s| surely_fits(s, value))),
        _ => match value {
            Value::Object(members) => of_object((keyword, argument), all, members),
            Value::Array(items) => of_list((keyword, argument), items),
            Value::String(text) => of_text((keyword, argument), text),
            Value::Number(number) => of_number((keyword, argument), number),
            Value::Null | Value::Bool(_) => is_of_others(keyword, &[]),
        },
    }
}

fn of_object(
    (keyword, argument): (&str, &Value),
    all: &Map<String, Value>,
    members: &Map<String, Value>,
) -> bool {
    match keyword {
        "properties" => argument.as_object().is_some_and(|properties| {
            let mut known = InOrder::new(properties);
            members.iter().all(|(name, member)| match known.get(name) {
                Some(schema) => surely_fits(schema, member),
                None => true,
            })
        }),
        "additionalProperties" => {
            let mut known = all.get("properties").and_then(Value::as_object).map(InOrder::new);
            let mut is_known = |name| known.as_mut().is_some_and(|all| all.get(name).is_some());
            members.iter().all(|(name, member)| is_known(name) || surely_fits(argument, member))
        }
        "required" => argument.as_array().is_some_and(|names| {
            let mut members = InOrder::new(members);
            names.iter().all(|name| name.as_str().is_some_and(|name| members.get(name).is_some()))
        }),
        "minProperties" => at_least(members.len(), argument),
        "maxProperties" => at_most(members.len(), argument),
        _ => is_of_others(keyword, OBJECT),
    }
}

fn of_list((keyword, argument): (&str, &Value), items: &[Value]) -> bool {
    match keyword {
        "items" => items.iter().all(|item| surely_fits(argument, item)),
        "minItems" => at_least(items.len(), argument),
        "maxItems" => at_most(items.len(), argument),
        _ => is_of_others(keyword, LIST),
    }
}

fn of_text((keyword, argument): (&str, &Value), text: &str) -> bool {
    match keyword {
        "minLength" => at_least(text.chars().count(), argument),
        "maxLength" => at_most(text.chars().count(), argument),
        "format" => match argument.as_str() {
            Some("date") => format::is_plain_date(text),
            Some("date-time") => format::is_plain_date_time(text),
            Some("email") => format::is_plain_email(text),
            Some("uuid") => format::is_uuid(text),
            _ => false,
        },
        _ => is_of_others(keyword, TEXT),
    }
}

/// A map whose members are mostly asked for in their order: a few names are compared before any is
/// hashed.
struct InOrder<'m> {
    all: &'m Map<String, Value>,
    rest: map::Iter<'m>,
}

impl<'m> InOrder<'m> {
    /// So many names are compared.
    const AHEAD: usize = 8;

    fn new(all: &'m Map<String, Value>) -> Self {
        Self { all, rest: all.iter() }
    }

    fn get(&mut self, name: &str) -> Option<&'m Value> {
        let mut ahead = self.rest.clone();
        match ahead.by_ref().take(Self::AHEAD).find(|(next, _)| *next == name) {
            Some((_, value)) => {
                self.rest = ahead;
                Some(value)
            }
            None => self.all.get(name),
        }
    }
}

/// Whole numbers of 64 bits; the rest is for the validator.
fn of_number((keyword, argument): (&str, &Value), number: &Number) -> bool {
    let Some((number, limit)) = number.as_i64().zip(argument.as_i64()) else {
        return is_of_others(keyword, NUMBER);
    };
    match keyword {
        "minimum" => number >= limit,
        "maximum" => number <= limit,
        "exclusiveMinimum" => number > limit,
        "exclusiveMaximum" => number < limit,
        _ => is_of_others(keyword, NUMBER),
    }
}

/// Whether a keyword that is not known to one kind of value is known to another, so that it says
/// nothing here.
fn is_of_others(keyword: &str, known: &[&str]) -> bool {
    let kinds = [OBJECT, LIST, TEXT, NUMBER];
    !known.contains(&keyword) && kinds.iter().any(|kind| kind.contains(&keyword))
}

fn at_least(count: usize, limit: &Value) -> bool {
    limit.as_u64().is_some_and(|limit| count as u64 >= limit)
}

fn at_most(count: usize, limit: &Value) -> bool {
    limit.as_u64().is_some_and(|limit| count as u64 <= limit)
}

fn is_of(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => name == "number" || name == "integer" && number.is_i64(),
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

/// Numbers can be equal and look otherwise, lists and objects hold numbers.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one == other,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Null, Value::Null) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schema::compile::build;

    #[test]
    fn what_is_plainly_right() {
        let person = json!({"type": "object", "additionalProperties": false, "required": ["id"],
            "properties": {"id": {"type": "string", "minLength": 1}, "age": {"type": ["integer", "null"], "minimum": 0},
                           "tags": {"type": "array", "maxItems": 2, "items": {"enum": ["a", "b"]}}}});
        for (schema, value, sure) in [
            (&person, json!({"id": "x", "age": 3, "tags": ["a", "b"]}), true),
            (&person, json!({"id": "x", "age": null}), true),
            (&person, json!({"id": ""}), false),
            (&person, json!({}), false),
            (&person, json!({"id": "x", "more": 1}), false),
            (&person, json!({"id": "x", "age": -1}), false),
            (&person, json!({"id": "x", "tags": ["c"]}), false),
            // Right, but not plainly.
            (&person, json!({"id": "x", "age": 1.0}), false),
            (&json!({"pattern": "a"}), json!("a"), false),
            (&json!({"format": "uuid"}), json!("a"), false),
            (&json!({"format": "date-time"}), json!("2022-01-01T00:00:00Z"), true),
            (&json!({"format": "ipv4"}), json!("127.0.0.1"), false),
            (&json!({"$schema": "http://json-schema.org/draft-04/schema#"}), json!(1), false),
            (&json!({"patternProperties": {"^a": false}}), json!({}), false),
            (&json!({"not": {}}), json!(1), false),
        ] {
            assert_eq!(surely_fits(schema, &value), sure, "{schema} {value}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            (-2..3_i64).prop_map(Value::from),
            Just(json!(1.0)),
            Just(json!(0.5)),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map("[ab]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            prop::sample::select(
                &["null", "boolean", "integer", "number", "string", "array", "object"][..]
            )
            .prop_map(|name| json!({"type": name})),
            (
                0..3_u64,
                prop::sample::select(
                    &[
                        "minLength",
                        "maxLength",
                        "minItems",
                        "maxItems",
                        "minProperties",
                        "maxProperties",
                        "minimum",
                        "maximum",
                        "exclusiveMinimum",
                        "exclusiveMaximum",
                        "multipleOf",
                    ][..]
                )
            )
                .prop_map(
                    |(limit, name)| json!({name: limit.max(u64::from(name == "multipleOf"))})
                ),
            values().prop_map(|value| json!({"const": value})),
            prop::collection::vec(values(), 1..3).prop_map(|all| json!({"enum": all})),
            Just(json!({"required": ["a"]})),
            Just(json!({"pattern": "^a"})),
            Just(json!({"uniqueItems": true})),
        ];
        leaf.prop_recursive(3, 24, 3, |inner| {
            let objects = prop::collection::hash_map("[ab]", inner.clone(), 0..3);
            prop_oneof![
                inner.clone().prop_map(|s| json!({"items": s})),
                inner.clone().prop_map(|s| json!({"not": s})),
                prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"anyOf": all})),
                prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"allOf": all})),
                prop::collection::vec(inner.clone(), 1..3).prop_map(|all| json!({"oneOf": all})),
                (objects, inner.clone()).prop_map(
                    |(some, more)| json!({"properties": some, "additionalProperties": more})
                ),
                (inner.clone(), inner).prop_map(|(one, other)| match (one, other) {
                    (Value::Object(mut one), Value::Object(other)) => {
                        one.extend(other);
                        Value::Object(one)
                    }
                    (one, _) => one,
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn what_is_sure_is_valid(schema in schemas(), value in values()) {
            if surely_fits(&schema, &value) {
                let valid = build(&schema).is_ok_and(|validator| validator.is_valid(&value));
                prop_assert!(valid, "{} {}", schema, value);
            }
        }
    }
}
