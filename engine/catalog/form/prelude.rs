//! What every reader of a format uses.

pub use crate::catalog::form::{
    choice::{Choices, row},
    description::{Description, Kind as Described},
    fields::{describe, keys, object},
    key::{Blank, Form, Key, key, wrong_type},
    layer::Owned,
    list::{Either, List, Map, Mapped, OneOrMany},
    object::Object,
    scalar::{
        BOOL, COUNT, FIELD, HEADER, INTEGER, JSON, METHOD, NAME, PATH, REPLY_STATUS, Refusal,
        SMALL, SPAN, Scalar, TEXT, WHOLE, Wrong, digits, field_name, spelled,
    },
};
