//! A tree into a type, with every problem at its place. serde stops at the first one: it is
//! noted, its entry taken out of a copy of the tree, and the reading begins again.

use std::{borrow::Cow, cell::RefCell, fmt, marker::PhantomData, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess,
        SeqAccess, Unexpected, VariantAccess, Visitor, value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::Number;

use crate::{
    catalog::{
        scalar,
        tree::{Key, Kind, Node},
    },
    diagnostic::{Diagnostics, Place, Severity, suggest},
};

/// Most problems that are told of one tree.
const MOST: usize = 50;

/// Reads a type out of a tree. `None` if anything was wrong, which is then in `diagnostics`:
/// `file.unknown-key`, `file.missing-key`, `file.wrong-type`, `file.unknown-value` or
/// `file.bad-value`.
pub fn decode<T: DeserializeOwned>(node: &Arc<Node>, diagnostics: &mut Diagnostics) -> Option<T> {
    let mut tree = Arc::clone(node);
    let mut pruned: Vec<(Place, Arc<str>)> = Vec::new();
    let mut failed = false;
    for _ in 0..MOST {
        let error = match T::deserialize(At(&tree)) {
            Ok(value) => return (!failed).then_some(value),
            Err(error) => *error.0,
        };
        let Some(site) = locate(&tree, &error.path) else {
            diagnostics.error("file.bad-value", error.fault.to_string(), Some(tree.place.clone()));
            break;
        };
        // A key that was taken out for its own fault is not also missing.
        let known = matches!(&error.fault, Fault::Missing(name)
            if pruned.iter().any(|(place, key)| *place == site.node.place && **key == **name));
        failed = true;
        if !known {
            report(&error, &site, diagnostics);
        }
        // An object whose only key is no choice is nothing without it.
        let gone = match (&error.fault, error.path.as_slice()) {
            (Fault::UnknownValue(_), [_, outer @ ..]) if error.at_key => outer,
            (_, path) => path,
        };
        let of = locate(&tree, gone).and_then(|site| site.parent.zip(site.key));
        pruned.extend(of.map(|(parent, key)| (parent.place.clone(), Arc::clone(&key.name))));
        let Some(rest) = without(&tree, gone) else { break };
        tree = rest;
    }
    None
}

/// A value as it stands, with its places: for templates and for JSON that is anybody's.
#[derive(Debug, Clone)]
pub struct Raw(pub Arc<Node>);

/// A value and the node it was read from.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// As read.
    pub value: T,
    /// What it was read from.
    pub node: Arc<Node>,
}

/// By this name [`Raw`] and [`Located`] ask for the node they stand at.
const WITH_NODE: &str = "$engine::catalog::node";

thread_local! {
    /// On its way from [`At::deserialize_newtype_struct`] to the visitor that it calls next.
    static PASSED: RefCell<Option<Arc<Node>>> = const { RefCell::new(None) };
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a file")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Raw, D::Error> {
                passed().map(Raw)
            }
        }
        deserializer.deserialize_newtype_struct(WITH_NODE, Take)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Take<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a file")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                inner: D,
            ) -> Result<Located<T>, D::Error> {
                let node = passed()?;
                Ok(Located { value: T::deserialize(inner)?, node })
            }
        }
        deserializer.deserialize_newtype_struct(WITH_NODE, Take(PhantomData))
    }
}

fn passed<E: de::Error>() -> Result<Arc<Node>, E> {
    let node = PASSED.with_borrow_mut(Option::take);
    node.ok_or_else(|| E::custom("such a value is read from files only"))
}

impl JsonSchema for Raw {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Any".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// What went wrong, on its way up; every list and object adds where it was.
#[derive(Debug)]
struct Error(Box<Problem>);

#[derive(Debug)]
struct Problem {
    fault: Fault,
    /// Entry or element numbers, innermost first.
    path: Vec<usize>,
    /// The fault is with the key of the innermost entry, not with its value.
    at_key: bool,
}

#[derive(Debug)]
enum Fault {
    /// What was expected instead.
    Type(String),
    UnknownKey(&'static [&'static str]),
    UnknownValue(&'static [&'static str]),
    Missing(&'static str),
    /// A sentence of whoever read the value.
    Custom(String),
}

impl Error {
    fn new(fault: Fault) -> Self {
        Self(Box::new(Problem { fault, path: Vec::new(), at_key: false }))
    }

    fn within(mut self, index: usize) -> Self {
        self.0.path.push(index);
        self
    }

    fn at_key(mut self, index: usize) -> Self {
        self.0.at_key = true;
        self.within(index)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fault.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(expected) => write!(f, "expected {}", in_our_words(expected)),
            Self::UnknownKey(_) => f.write_str("unknown key"),
            Self::UnknownValue(known) => write!(f, "expected one of {}", known.join(", ")),
            Self::Missing(key) => write!(f, "missing key `{key}`"),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

/// The values found are left out on purpose: they may be secrets. [`Node::describe`] knows.
impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Fault::Custom(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Fault::Type(expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Fault::Type(expected.to_string()))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(Fault::Type(expected.to_string()))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Fault::UnknownValue(expected))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Fault::UnknownKey(expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Fault::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is given twice, under two names"))
    }
}

/// The node that a path leads to, and what is around it.
struct Site<'t> {
    node: &'t Arc<Node>,
    parent: Option<&'t Arc<Node>>,
    /// Of the entry, if the parent is an object.
    key: Option<&'t Key>,
}

fn locate<'t>(tree: &'t Arc<Node>, path: &[usize]) -> Option<Site<'t>> {
    let mut site = Site { node: tree, parent: None, key: None };
    for &index in path.iter().rev() {
        let parent = site.node;
        let (key, node) = match &parent.kind {
            Kind::Map(entries) => entries.get(index).map(|(key, node)| (Some(key), node))?,
            Kind::List(items) => (None, items.get(index)?),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return None,
        };
        site = Site { node, parent: Some(parent), key };
    }
    Some(site)
}

/// A copy of the tree without what the path (innermost first) leads to; `None` if that is all.
fn without(tree: &Arc<Node>, path: &[usize]) -> Option<Arc<Node>> {
    let (&index, inner) = path.split_last()?;
    let mut copy = Node::clone(tree);
    match &mut copy.kind {
        Kind::Map(entries) => match without(&entries.get(index)?.1, inner) {
            Some(rest) => entries.get_mut(index)?.1 = rest,
            None => drop(entries.remove(index)),
        },
        Kind::List(items) => match without(items.get(index)?, inner) {
            Some(rest) => *items.get_mut(index)? = rest,
            None => drop(items.remove(index)),
        },
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return None,
    }
    Some(Arc::new(copy))
}

fn report(problem: &Problem, site: &Site<'_>, diagnostics: &mut Diagnostics) {
    let name = site.key.map_or("", |key| &key.name);
    // A choice may be made by a key; then that is what is unknown.
    let (chosen, found) = match (problem.at_key, site.node.as_str()) {
        (true, _) => (name, format!("`{name}`")),
        (false, Some(text)) if site.node.origin.is_none() => (text, site.node.describe()),
        (false, _) => ("", site.node.describe()),
    };
    let (code, message, hint) = match &problem.fault {
        Fault::UnknownKey(known) => {
            let hint = suggest(name, known.iter().copied());
            ("file.unknown-key", format!("unknown key `{name}`"), hint)
        }
        Fault::Missing(key) => ("file.missing-key", format!("missing key `{key}`"), None),
        Fault::UnknownValue(known) => {
            let message = format!("expected one of {}, found {found}", quoted(known));
            ("file.unknown-value", message, suggest(chosen, known.iter().copied()))
        }
        Fault::Type(expected) => {
            let expected = in_our_words(expected);
            let message = format!("expected {expected}, found {found}");
            ("file.wrong-type", message, quote_it(&expected, site.node))
        }
        Fault::Custom(message) => ("file.bad-value", message.clone(), None),
    };
    let place = match site.key {
        Some(key) if problem.at_key => &key.place,
        _ => &site.node.place,
    };
    diagnostics.push(Severity::Error, code, message, Some(place.clone()), hint);
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// `1.10`, `true` or `null` where a text is wanted: the author meant the letters.
fn quote_it(expected: &str, node: &Node) -> Option<String> {
    let scalar = matches!(node.kind, Kind::Bool(_) | Kind::Number(_));
    (scalar && expected.contains("text")).then(|| format!("quote it: `'{}'`", node.place.text()))
}

/// What serde's visitors expect, said as the authors of files would.
fn in_our_words(expected: &str) -> Cow<'_, str> {
    Cow::Borrowed(match expected {
        "a string" | "string" | "str" | "a borrowed string" | "a character" => "a text",
        "a boolean" | "bool" => "`true` or `false`",
        "a sequence" => "a list",
        "a map" => "an object",
        "unit" => "nothing",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number that is not negative",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        nonzero if nonzero.starts_with("a nonzero") => "a whole number above 0",
        made if made.starts_with("struct ") => "an object",
        made if made.starts_with("enum ") => "the name of a choice",
        made if made.starts_with("tuple") || made.starts_with("an array") => "a list",
        other => other,
    })
}

/// serde's view of a node.
#[derive(Clone, Copy)]
struct At<'de>(&'de Arc<Node>);

impl<'de> At<'de> {
    /// Texts that came out of `${…}` are also what they spell, where that is wanted.
    fn spelled(self) -> Option<Kind> {
        self.0.origin.as_ref()?;
        scalar::plain(self.0.as_str()?).ok()
    }

    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.spelled() {
            Some(Kind::Number(number)) => visit_number(&number, visitor),
            _ => self.deserialize_any(visitor),
        }
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.kind {
            Kind::String(text) => visitor.visit_borrowed_str(text),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => {
                Err(Error::new(Fault::Type(Expectation(&visitor).to_string())))
            }
        }
    }
}

/// What a visitor expects, to be printed.
struct Expectation<'v, V>(&'v V);

impl<'de, V: Visitor<'de>> fmt::Display for Expectation<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Error> {
    if let Some(n) = number.as_u64() {
        visitor.visit_u64(n)
    } else if let Some(n) = number.as_i64() {
        visitor.visit_i64(n)
    } else if let Some(n) = number.as_f64() {
        visitor.visit_f64(n)
    } else {
        Err(Error::new(Fault::Type("a number that fits into 64 bits".to_owned())))
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.number(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(b) => visitor.visit_bool(*b),
            Kind::Number(number) => visit_number(number, visitor),
            Kind::String(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Kind::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.spelled() {
            Some(Kind::Bool(b)) => visitor.visit_bool(b),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == WITH_NODE {
            PASSED.set(Some(Arc::clone(self.0)));
        }
        visitor.visit_newtype_struct(self)
    }

    /// serde would read a struct from a list, too.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.kind {
            Kind::List(_) => Err(Error::new(Fault::Type(format!("struct {name}")))),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Map(_) => {
                self.deserialize_any(visitor)
            }
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.kind {
            Kind::String(_) => visitor.visit_enum(Choice { name: self.0, entry: None }),
            Kind::Map(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Choice { name: self.0, entry: Some(entry) }),
                _ => Err(Error::new(Fault::Type("an object with exactly one key".to_owned()))),
            },
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::List(_) => {
                Err(Error::new(Fault::Type("a text".to_owned())))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    forward_to_deserialize_any! {
        char bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
    }
}

impl<'de> IntoDeserializer<'de, Error> for At<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'de> {
    items: &'de [Arc<Node>],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let index = self.next;
        let Some(item) = self.items.get(index) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(At(item)).map(Some).map_err(|error| error.within(index))
    }

    fn size_hint(&self) -> Option<usize> {
        self.items.len().checked_sub(self.next)
    }
}

struct Entries<'de> {
    entries: &'de [(Key, Arc<Node>)],
    /// Of the entry whose key comes next; its value comes when this is one further.
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let index = self.next;
        let Some((key, _)) = self.entries.get(index) else { return Ok(None) };
        self.next += 1;
        let name = BorrowedStrDeserializer::new(&key.name);
        seed.deserialize(name).map(Some).map_err(|error: Error| error.at_key(index))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let index = self.next.saturating_sub(1);
        let Some((_, value)) = self.entries.get(index) else {
            return Err(Error::new(Fault::Custom("a value was asked for before its key".into())));
        };
        seed.deserialize(At(value)).map_err(|error| error.within(index))
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.len().checked_sub(self.next)
    }
}

/// A variant: a text, or an object of one entry.
struct Choice<'de> {
    name: &'de Arc<Node>,
    entry: Option<&'de (Key, Arc<Node>)>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = match self.entry {
            Some((key, _)) => seed
                .deserialize(BorrowedStrDeserializer::new(&key.name))
                .map_err(|error: Error| error.at_key(0))?,
            None => seed.deserialize(At(self.name))?,
        };
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.entry {
            None => Ok(()),
            Some(_) => Err(Error::new(Fault::Type("a text".to_owned()))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        match self.entry {
            Some((_, value)) => seed.deserialize(At(value)).map_err(|error| error.within(0)),
            None => Err(Error::new(Fault::Type("an object".to_owned()))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.newtype_variant_seed(Through(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.newtype_variant_seed(Through(visitor))
    }
}

/// A visitor as a seed.
struct Through<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Through<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        catalog::{env, yaml},
        diagnostic::SourceFile,
    };

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Spec {
        name: String,
        #[serde(default)]
        count: Option<u32>,
        #[serde(default)]
        steps: Vec<Step>,
        #[serde(default)]
        by_name: BTreeMap<String, Step>,
        #[serde(default)]
        style: Option<Style>,
        #[serde(default)]
        free: Option<Raw>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Step {
        id: Located<String>,
        #[serde(default)]
        on: bool,
        #[serde(default)]
        when: When,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Style {
        Body,
        Header,
        Custom { name: String },
    }

    /// A union by hand: a text, or an object.
    #[derive(Debug, Default, PartialEq)]
    enum When {
        #[default]
        Always,
        Text(String),
        Parts(BTreeMap<String, u8>),
    }

    impl<'de> Deserialize<'de> for When {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Union;
            impl<'de> Visitor<'de> for Union {
                type Value = When;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a text or an object")
                }

                fn visit_str<E: de::Error>(self, text: &str) -> Result<When, E> {
                    Ok(When::Text(text.to_owned()))
                }

                fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<When, A::Error> {
                    Deserialize::deserialize(de::value::MapAccessDeserializer::new(map))
                        .map(When::Parts)
                }
            }
            deserializer.deserialize_any(Union)
        }
    }

    fn tree(text: &str) -> Arc<Node> {
        yaml::parse(&Arc::new(SourceFile { name: "t".into(), text: text.into() })).unwrap()
    }

    /// `line:column code message (hint)`, for each problem.
    fn problems(node: &Arc<Node>) -> Vec<String> {
        let mut diagnostics = Diagnostics::default();
        assert!(decode::<Spec>(node, &mut diagnostics).is_none(), "{node:?} was read");
        diagnostics.sort();
        let mut shown = Vec::new();
        for d in &diagnostics.list {
            let at = d.place.as_ref().unwrap().start();
            let hint = d.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            shown.push(format!("{}:{} {} {}{hint}", at.line, at.column, d.code, d.message));
        }
        shown
    }

    #[test]
    fn what_is_right_is_read() {
        let text = "name: x\ncount: 5\nsteps: [{id: a, on: true, when: x}, {id: b, when: {p: 1}}]\n\
                    by_name: {q: {id: c}}\nstyle: {custom: {name: n}}\nfree: {any: [1.10]}\n";
        let mut diagnostics = Diagnostics::default();
        let spec: Spec = decode(&tree(text), &mut diagnostics).unwrap();
        assert!(diagnostics.is_empty());
        assert_eq!((spec.name.as_str(), spec.count), ("x", Some(5)));
        let [a, b] = spec.steps.as_slice() else { panic!() };
        assert_eq!((a.id.value.as_str(), a.on), ("a", true));
        assert_eq!(a.id.node.place.to_string(), "t:3:14");
        assert_eq!(a.when, When::Text("x".into()));
        assert_eq!(b.when, When::Parts([("p".to_owned(), 1)].into()));
        assert_eq!(spec.by_name["q"].id.value, "c");
        assert_eq!(spec.style, Some(Style::Custom { name: "n".into() }));
        assert_eq!(spec.free.unwrap().0.to_json().to_string(), r#"{"any":[1.10]}"#);
    }

    #[test]
    fn all_problems_are_found_each_at_its_place() {
        let text = "nam: x\ncount: many\nsteps:\n  - id: 1.10\n  - {idd: x, on: 'yes'}\n  - {id: a, when: {p: q}}\n\
                    \x20 - {id: b, when: [1]}\nby_name: []\nstyle: hedaer\n";
        assert_eq!(
            problems(&tree(text)),
            [
                "1:1 file.missing-key missing key `name`",
                "1:1 file.unknown-key unknown key `nam` (did you mean `name`?)",
                "2:8 file.wrong-type expected a whole number that is not negative, found the text `many`",
                "4:9 file.wrong-type expected a text, found the number `1.10` (quote it: `'1.10'`)",
                "5:5 file.missing-key missing key `id`",
                "5:6 file.unknown-key unknown key `idd` (did you mean `id`?)",
                "5:18 file.wrong-type expected `true` or `false`, found the text `yes`",
                "6:23 file.wrong-type expected a whole number that is not negative, found the text `q`",
                "7:19 file.wrong-type expected a text or an object, found a list",
                "8:10 file.wrong-type expected an object, found a list",
                "9:8 file.unknown-value expected one of `body`, `header`, `custom`, found the text `hedaer` (did you mean `header`?)",
            ]
        );
    }

    #[test]
    fn variants_by_key_and_ranges() {
        assert_eq!(
            problems(&tree("name: x\ncount: -1\nstyle: {custm: {name: x}}\n")),
            [
                "2:8 file.wrong-type expected a whole number that is not negative, found the number `-1`",
                "3:9 file.unknown-value expected one of `body`, `header`, `custom`, found `custm` (did you mean `custom`?)",
            ]
        );
        assert_eq!(
            problems(&tree("- name: x\n")),
            ["1:3 file.wrong-type expected an object, found a list"]
        );
    }

    #[test]
    fn values_of_the_environment_convert_and_never_show() {
        let mut diagnostics = Diagnostics::default();
        let environment = env::Environment::new([
            ("N".to_owned(), "5".to_owned()),
            ("B".to_owned(), "true".to_owned()),
            ("S".to_owned(), "hunter2".to_owned()),
        ]);
        let mut with =
            |text: &str| env::interpolate(&tree(text), &environment, None, &mut diagnostics).tree;
        let right = with("name: '${N}'\ncount: ${N}\nsteps: [{id: a, on: '${B}'}]\n");
        let wrong = with("name: x\ncount: ${S}\nstyle: ${S}\n");
        let spec: Spec = decode(&right, &mut diagnostics).unwrap();
        assert_eq!((spec.name.as_str(), spec.count, spec.steps[0].on), ("5", Some(5), true));
        let shown = problems(&wrong).join("\n");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("found the value of `${S}`"), "{shown}");
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let text: String = (0..500).map(|i| format!("k{i}: 1\n")).collect();
        assert_eq!(problems(&tree(&text)).len(), MOST);
    }
}
