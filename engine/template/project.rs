//! JSON text → the parts of its value that are demanded; the rest is skipped unread.

use std::{collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::template::demand::Demand;

/// As which key `serde_json` hands out a number, since numbers keep their digits.
const NUMBER: &str = "$serde_json::private::Number";

/// Reads JSON, keeping what is demanded. Scalars are kept wherever they are looked at.
pub fn decode(json: &[u8], demand: &Demand) -> Result<Value, serde_json::Error> {
    // Checked as one text, the strings in it need not be checked one by one.
    match std::str::from_utf8(json) {
        Ok(text) => whole(serde_json::Deserializer::from_str(text), demand),
        Err(_) => whole(serde_json::Deserializer::from_slice(json), demand),
    }
}

fn whole<'de, R: serde_json::de::Read<'de>>(
    mut deserializer: serde_json::Deserializer<R>,
    demand: &Demand,
) -> Result<Value, serde_json::Error> {
    let value = Projection(demand).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Projection<'d>(&'d Demand);

impl<'de> DeserializeSeed<'de> for Projection<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0 {
            Demand::All => serde::Deserialize::deserialize(deserializer),
            Demand::Members(members) => deserializer.deserialize_any(Project(members)),
        }
    }
}

/// Keeps these members.
struct Project<'d>(&'d BTreeMap<String, Demand>);

impl<'de> Visitor<'de> for Project<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let demand = Elements(self.0);
        while let Some(item) = items.next_element_seed(demand)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::with_capacity(self.0.len());
        while let Some(key) = members.next_key_seed(Key(self.0))? {
            match key {
                Found::Wanted(name, demand) => {
                    object.insert(name.to_owned(), members.next_value_seed(Projection(demand))?);
                }
                Found::Number if object.is_empty() => {
                    let digits: String = members.next_value()?;
                    let number: Number = serde_json::from_str(&digits)
                        .map_err(|_| serde::de::Error::custom("a number that is none"))?;
                    return Ok(number.into());
                }
                Found::Number | Found::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(object.into())
    }
}

/// The elements of a list have its demand.
#[derive(Clone, Copy)]
struct Elements<'d>(&'d BTreeMap<String, Demand>);

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Project(self.0))
    }
}

/// Looks a key up without copying it.
struct Key<'d>(&'d BTreeMap<String, Demand>);

enum Found<'d> {
    Wanted(&'d str, &'d Demand),
    Number,
    Other,
}

impl<'de, 'd> DeserializeSeed<'de> for Key<'d> {
    type Value = Found<'d>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<'d>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'d> Visitor<'_> for Key<'d> {
    type Value = Found<'d>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Found<'d>, E> {
        Ok(match self.0.get_key_value(name) {
            Some((name, demand)) => Found::Wanted(name, demand),
            None if name == NUMBER => Found::Number,
            None => Found::Other,
        })
    }
}
