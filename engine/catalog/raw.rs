//! Values that keep the node they were read from.

use std::{borrow::Cow, cell::RefCell, fmt, marker::PhantomData, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::catalog::tree::Node;

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
pub const WITH_NODE: &str = "$engine::catalog::node";

thread_local! {
    /// On its way from the deserializer to the visitor that it calls next.
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

/// Hands a node to the visitor that is called next.
pub fn pass(node: &Arc<Node>) {
    PASSED.set(Some(Arc::clone(node)));
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
