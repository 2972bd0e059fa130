//! Texts, numbers, booleans, and what texts spell.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde_json::{Number, Value};

use crate::{
    catalog::{
        form::{
            description::{Description, Kind},
            key::{Blank, Form, wrong_type},
        },
        scalar,
        tree::{self, Node},
    },
    diagnostic::Diagnostics,
    model::{
        http::{HeaderName, Method, is_registered, method},
        name,
        time::{format_span, parse_span},
    },
};

/// One value without parts.
#[derive(Debug, Clone)]
pub struct Scalar<T: 'static> {
    /// For descriptions.
    pub kind: Kind,
    /// For messages: `a text`.
    pub expected: &'static str,
    /// Reads it.
    pub read: fn(&Node) -> Result<T, Wrong>,
    /// Stands in for a missing one.
    pub blank: fn() -> T,
    /// As a file would say it.
    pub spelled: fn(&T) -> String,
}

/// Why a scalar cannot be read.
#[derive(Debug)]
pub enum Wrong {
    /// Something else stands there.
    Type,
    /// It has the right type, and cannot be.
    Value(Refusal),
}

/// What is wrong with a value.
#[derive(Debug)]
pub struct Refusal {
    /// Of the diagnostic.
    pub code: &'static str,
    /// What should stand there: `a span of time`.
    pub expected: &'static str,
    /// What to write; may be empty.
    pub hint: &'static str,
}

impl<T> Form for Scalar<T> {
    type Value = T;

    fn kind(&mut self, _: &mut Description) -> Kind {
        self.kind.clone()
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<T> {
        match (self.read)(node) {
            Ok(value) => Some(value),
            Err(Wrong::Type) => wrong_type(node, self.expected, found),
            Err(Wrong::Value(Refusal { code, expected, hint })) => {
                let message = format!("expected {expected}, found {}", node.describe());
                let hint = (!hint.is_empty()).then(|| hint.to_owned());
                found.error(code, message).at(&node.place).maybe_hint(hint);
                None
            }
        }
    }

    fn spelled(&self, value: &T) -> Option<String> {
        Some((self.spelled)(value))
    }
}

impl<T> Blank for Scalar<T> {
    fn blank(&mut self) -> T {
        (self.blank)()
    }
}

/// What a node holds; a text that came out of `${…}` also is what it spells.
fn plain(node: &Node) -> Cow<'_, tree::Kind> {
    let spelled = node.origin.as_ref().and(node.as_str()).and_then(|text| scalar::plain(text).ok());
    spelled.map_or(Cow::Borrowed(&node.kind), Cow::Owned)
}

fn whole<T: TryFrom<u64>>(node: &Node) -> Result<T, Wrong> {
    let kind = plain(node);
    let tree::Kind::Number(number) = &*kind else { return Err(Wrong::Type) };
    number.as_u64().and_then(|number| T::try_from(number).ok()).ok_or(Wrong::Type)
}

/// A number as its author wrote it. `+5`, `0x1F`, `.5` and `1E5` are other texts than what JSON
/// writes for their numbers.
pub fn digits(node: &Node, number: &Number) -> String {
    let written = node.place.text();
    let same = scalar::number(written).as_ref() == Some(number);
    if same { written.to_owned() } else { number.to_string() }
}

/// Reads what a text spells.
pub fn spelled<T>(
    node: &Node,
    parse: impl FnOnce(&str) -> Option<T>,
    refusal: Refusal,
) -> Result<T, Wrong> {
    let text = node.as_str().ok_or(Wrong::Type)?;
    parse(text).ok_or(Wrong::Value(refusal))
}

/// A text.
pub const TEXT: Scalar<String> = Scalar {
    kind: Kind::Text(None),
    expected: "a text",
    read: |node| node.as_str().map(str::to_owned).ok_or(Wrong::Type),
    blank: String::new,
    spelled: String::clone,
};

/// `true` or `false`.
pub const BOOL: Scalar<bool> = Scalar {
    kind: Kind::Bool,
    expected: "`true` or `false`",
    read: |node| {
        let kind = plain(node);
        let tree::Kind::Bool(value) = &*kind else { return Err(Wrong::Type) };
        Ok(*value)
    },
    blank: || false,
    spelled: bool::to_string,
};

/// A whole number that is not negative.
pub const WHOLE: Scalar<u64> = Scalar {
    kind: Kind::Whole(0, u64::MAX),
    expected: "a whole number that is not negative",
    read: whole,
    blank: || 0,
    spelled: u64::to_string,
};

/// Seconds, rows and the like: as [`WHOLE`], in 32 bits.
pub const SMALL: Scalar<u32> = Scalar {
    kind: Kind::Whole(0, u32::MAX as u64),
    expected: WHOLE.expected,
    read: whole,
    blank: || 0,
    spelled: u32::to_string,
};

/// A status that an answer can have.
pub const REPLY_STATUS: Scalar<u16> = Scalar {
    kind: Kind::Whole(0, u16::MAX as u64),
    expected: WHOLE.expected,
    read: whole,
    blank: || 0,
    spelled: u16::to_string,
};

/// A whole number above 0.
pub const COUNT: Scalar<u32> = Scalar {
    kind: Kind::Whole(1, u32::MAX as u64),
    read: |node| match whole(node)? {
        0 => {
            Err(Wrong::Value(Refusal { code: "file.bad-value", expected: "at least 1", hint: "" }))
        }
        count => Ok(count),
    },
    ..SMALL
};

/// A whole number.
pub const INTEGER: Scalar<i64> = Scalar {
    kind: Kind::Whole(i64::MIN, i64::MAX as u64),
    expected: "a whole number",
    read: |node| {
        let kind = plain(node);
        let tree::Kind::Number(number) = &*kind else { return Err(Wrong::Type) };
        number.as_i64().ok_or(Wrong::Type)
    },
    blank: || 0,
    spelled: i64::to_string,
};

/// A span of time.
pub const SPAN: Scalar<Duration> = Scalar {
    kind: Kind::Text(Some("30s")),
    expected: "a text",
    read: |node| spelled(node, parse_span, BAD_SPAN),
    blank: || Duration::ZERO,
    spelled: |span| format_span(*span),
};

/// What a span looks like.
pub const BAD_SPAN: Refusal = Refusal {
    code: "file.bad-span",
    expected: "a span of time",
    hint: "write a number and a unit without a space: `500ms`, `30s`, `2m`, `1h`, `7d`",
};

/// A name that templates can use.
pub const NAME: Scalar<String> = Scalar {
    kind: Kind::Text(Some("teams")),
    read: |node| {
        let refusal = Refusal {
            code: "file.bad-name",
            expected: "a name for templates",
            hint: "use letters, digits and `_`",
        };
        let identifier = |text: &str| name::is_identifier(text).then(|| text.to_owned());
        spelled(node, identifier, refusal)
    },
    ..TEXT
};

/// The name of a header field.
pub const HEADER: Scalar<HeaderName> = Scalar {
    kind: Kind::Text(Some("x-request-id")),
    expected: "a text",
    read: |node| {
        let refusal = Refusal { code: "file.bad-name", expected: "the name of a header", hint: "" };
        spelled(node, field_name, refusal)
    },
    blank: || HeaderName::from_static("x"),
    spelled: HeaderName::to_string,
};

/// A token of RFC 9110, section 5.6.2.
pub fn field_name(name: &str) -> Option<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).ok()
}

/// A method of HTTP.
pub const METHOD: Scalar<Method> = Scalar {
    kind: Kind::Text(Some("POST")),
    expected: "a text",
    read: |node| {
        let refusal =
            Refusal { code: "file.unknown-value", expected: "a method of HTTP", hint: "" };
        spelled(node, |text| method(text).filter(is_registered), refusal)
    },
    blank: || Method::GET,
    spelled: Method::to_string,
};

/// A path below `base_url`.
pub const PATH: Scalar<String> = Scalar {
    kind: Kind::Text(Some("/teams/*")),
    read: |node| {
        let refusal =
            Refusal { code: "file.bad-value", expected: "a path that begins with `/`", hint: "" };
        spelled(node, |text| text.starts_with('/').then(|| text.to_owned()), refusal)
    },
    ..TEXT
};

/// Any JSON value, as it stands.
pub const JSON: Scalar<Value> = Scalar {
    kind: Kind::Any,
    expected: "a value",
    read: |node| Ok(node.to_json()),
    blank: || Value::Null,
    spelled: Value::to_string,
};

/// A scalar as the text of a header.
pub const FIELD: Scalar<String> = Scalar {
    kind: Kind::Any,
    read: |node| match &node.kind {
        tree::Kind::String(text) => Ok(text.to_string()),
        tree::Kind::Number(number) => Ok(digits(node, number)),
        tree::Kind::Null | tree::Kind::Bool(_) | tree::Kind::List(_) | tree::Kind::Map(_) => {
            Ok(node.to_json().to_string())
        }
    },
    ..TEXT
};
