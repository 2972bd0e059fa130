//! Which parts of an answer are read, so that the rest is never turned into values.

use std::{collections::BTreeMap, fmt};

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value, value::RawValue};

use crate::model::template::{Expr, MapShape, Part, Path, Shape, Template};

/// What of a value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Everything.
    All,
    /// These members; of a list, these members of its elements. Empty: only what kind it is.
    Members(BTreeMap<String, Self>),
}

impl Demand {
    /// Only what kind of value it is.
    pub fn nothing() -> Self {
        Self::Members(BTreeMap::new())
    }

    /// Whether nothing below is read.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Members(members) if members.is_empty())
    }

    /// Adds a path that is read, whole (`All`) or for its kind only (`nothing`).
    fn add(&mut self, path: &[String], end: &Self) {
        let Self::Members(members) = self else { return };
        match path.split_first() {
            None => {
                if *end == Self::All {
                    *self = Self::All;
                }
            }
            // Lists are transparent: a number is a step to an element, not to a member.
            Some((first, rest)) if first == ELEMENT || first.parse::<usize>().is_ok() => {
                self.add(rest, end);
                // An object may have members that are numbers, too.
                if first != ELEMENT
                    && let Self::Members(members) = self
                {
                    members.entry(first.clone()).or_insert_with(Self::nothing).add(rest, end);
                }
            }
            Some((first, rest)) => {
                members.entry(first.clone()).or_insert_with(Self::nothing).add(rest, end);
            }
        }
    }
}

/// A step to any element of a list.
const ELEMENT: &str = "*";

/// Collects what templates read.
#[derive(Debug, Clone)]
pub struct Demands {
    roots: Demand,
    /// Names that stand for elements of a list elsewhere; later ones hide earlier ones.
    aliases: Vec<(String, Option<Vec<String>>)>,
}

impl Default for Demands {
    fn default() -> Self {
        Self { roots: Demand::nothing(), aliases: Vec::new() }
    }
}

impl Demands {
    /// Nothing is read.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a template reads.
    pub fn template(&mut self, template: &Template) {
        for part in &template.parts {
            if let Part::Expr(expr) = part {
                self.expr(expr, &Demand::All);
            }
        }
    }

    /// What a shape reads.
    pub fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Literal(_) => {}
            Shape::Template(template) => self.template(template),
            Shape::Object(members) => members.iter().for_each(|(_, shape)| self.shape(shape)),
            Shape::List(elements) => elements.iter().for_each(|shape| self.shape(shape)),
            Shape::Map(map) => self.map(map),
        }
    }

    fn map(&mut self, map: &MapShape) {
        let source = match map.list.lone() {
            Some(Expr::Path(path)) => Some(self.resolved(path)),
            Some(Expr::Literal(_) | Expr::Call(_)) | None => None,
        };
        match &source {
            Some(path) => self.roots.add(path, &Demand::nothing()),
            None => self.template(&map.list),
        }
        let element = source.map(|mut path| {
            path.push(ELEMENT.to_owned());
            path
        });
        self.aliases.push((map.name.clone(), element));
        map.filter.iter().for_each(|filter| self.template(filter));
        self.shape(&map.to);
        self.aliases.pop();
    }

    /// `name` stands for the elements of the list at `source`.
    pub fn bind(&mut self, name: &str, source: &[&str]) {
        let path = source.iter().map(|s| (*s).to_owned());
        let path: Vec<String> = path.chain([ELEMENT.to_owned()]).collect();
        self.roots.add(&path, &Demand::nothing());
        self.aliases.push((name.to_owned(), Some(path)));
    }

    /// What is read of the value at `path`.
    pub fn of(&self, path: &[&str]) -> Demand {
        let mut demand = &self.roots;
        for name in path {
            match demand {
                Demand::All => return Demand::All,
                Demand::Members(members) => match members.get(*name) {
                    Some(below) => demand = below,
                    None => return Demand::nothing(),
                },
            }
        }
        demand.clone()
    }

    /// Whether anything reads the value at `path`, if only to see that it is there.
    pub fn reads(&self, path: &[&str]) -> bool {
        let mut demand = &self.roots;
        for name in path {
            match demand {
                Demand::All => return true,
                Demand::Members(members) => match members.get(*name) {
                    Some(below) => demand = below,
                    None => return false,
                },
            }
        }
        true
    }

    fn expr(&mut self, expr: &Expr, end: &Demand) {
        match expr {
            Expr::Literal(_) => {}
            Expr::Path(path) => {
                let path = self.resolved(path);
                self.roots.add(&path, end);
            }
            Expr::Call(call) => {
                // Whether something is there does not depend on what is in it.
                let end = if call.helper == "exists" { &Demand::nothing() } else { &Demand::All };
                call.args.iter().for_each(|arg| self.expr(arg, end));
                call.named.iter().for_each(|(_, arg)| self.expr(arg, &Demand::All));
            }
        }
    }

    /// The path with aliases put in; an alias of something computed reads nothing of an answer.
    fn resolved(&self, path: &Path) -> Vec<String> {
        let alias = self.aliases.iter().rev().find(|(name, _)| *name == path.root);
        let start = match alias {
            Some((_, Some(source))) => source.clone(),
            Some((name, None)) => vec![format!("\0{name}")],
            None => vec![path.root.clone()],
        };
        start.into_iter().chain(path.segments.iter().cloned()).collect()
    }
}

/// Reads JSON, keeping what is demanded. Scalars are always kept; of a value whose members nobody
/// reads only its kind is.
pub fn decode(json: &[u8], demand: &Demand) -> Result<Value, serde_json::Error> {
    if *demand == Demand::All {
        return serde_json::from_slice(json);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Seed(demand).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// A demand, as serde reads by it.
struct Seed<'d>(&'d Demand);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0 {
            Demand::All => serde::Deserialize::deserialize(deserializer),
            // Scalars take the path that keeps their digits.
            Demand::Members(members) if members.is_empty() => {
                let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
                match raw.get().as_bytes().first() {
                    Some(b'{') => Ok(Value::Object(Map::new())),
                    // A list keeps its length.
                    Some(b'[') => serde_json::from_str::<Vec<IgnoredAny>>(raw.get())
                        .map(|list| list.iter().map(|_| Value::Null).collect())
                        .map_err(D::Error::custom),
                    _ => serde_json::from_str(raw.get()).map_err(D::Error::custom),
                }
            }
            Demand::Members(members) => deserializer.deserialize_any(Members(members)),
        }
    }
}

struct Members<'d>(&'d BTreeMap<String, Demand>);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut number = false;
        while let Some(key) = access.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.0.get(&*key) {
                Some(demand) => {
                    let value = access.next_value_seed(Seed(demand))?;
                    map.insert(key.into_owned(), value);
                }
                // How serde_json hands over a number with its digits.
                None if key == "$serde_json::private::Number" => {
                    number = true;
                    let digits: String = access.next_value()?;
                    let value: Value = serde_json::from_str(&digits).map_err(A::Error::custom)?;
                    map.insert(String::new(), value);
                }
                None => {
                    access.next_value::<IgnoredAny>()?;
                }
            }
        }
        if number && map.len() == 1 {
            return Ok(map.remove("").unwrap_or(Value::Null));
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(Element(self.0))? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
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

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// An element of a list has the list's demand.
struct Element<'d>(&'d BTreeMap<String, Demand>);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Members(self.0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        model::time::Timestamp,
        template::{Scope, evaluate, parse},
    };

    fn template(text: &str) -> Template {
        parse(text).unwrap()
    }

    fn body_of(template_text: &str) -> Demand {
        let mut demands = Demands::new();
        demands.template(&template(template_text));
        demands.of(&["body"])
    }

    #[test]
    fn only_what_is_read_is_kept() {
        let text = br#"{"value": [{"id": 1.10, "name": "a", "big": {"x": [1]}}, {"id": 12345678901234567890123}], "next": null, "rest": {"a": 1}}"#;
        for (read, expected) in [
            (
                "{{body.value.0.id}}",
                serde_json::from_str("{\"value\": [{\"id\": 1.10}, {\"id\": 0}]}").unwrap(),
            ),
            ("{{exists body.rest}}", json!({"rest": {}})),
            ("{{opt body.next}}", json!({"next": null})),
            ("{{body.missing}}", json!({})),
        ] {
            let mut found = decode(text, &body_of(read)).unwrap();
            if let Some(id) = found.pointer_mut("/value/1/id") {
                assert_eq!(id.to_string(), "12345678901234567890123");
                *id = json!(0);
            }
            assert_eq!(found.to_string(), expected.to_string(), "{read}");
        }
        assert_eq!(body_of("{{body}}"), Demand::All);
    }

    #[test]
    fn a_map_reads_its_elements() {
        let shape = Shape::Map(Box::new(MapShape {
            list: template("{{body.value}}"),
            name: "c".to_owned(),
            filter: Some(template("{{not (exists c.gone)}}")),
            to: Shape::Template(template("{{c.id}}")),
        }));
        let mut demands = Demands::new();
        demands.shape(&shape);
        let whole = json!({"value": [{"id": 1, "x": 2}, {"id": 3, "gone": {"a": 1}}, {"id": 4, "gone": null}], "y": 1});
        let part = decode(whole.to_string().as_bytes(), &demands.of(&["body"])).unwrap();
        assert_eq!(
            part.to_string(),
            "{\"value\":[{\"id\":1},{\"id\":3,\"gone\":{}},{\"id\":4,\"gone\":null}]}"
        );
        let value =
            |body: &Value| evaluate(&shape, &Scope::new(Timestamp(0)).with("body", body)).unwrap();
        assert_eq!(value(&whole), value(&part));
    }
}
