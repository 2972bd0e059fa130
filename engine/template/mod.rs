//! The template language: text → [`Template`], and templates × [`Scope`] → values.

use std::borrow::Cow;

use serde_json::Value;

use crate::model::{
    blueprint::Arrays,
    template::{Shape, Template},
};

mod scope;
pub mod check;
pub mod demand;

pub use self::scope::{Error, Fault, Scope};

/// Reads a template.
pub fn parse(text: &str) -> Result<Template, Error> {
    Ok(Template::text(text))
}

/// The JSON value of a template; `None` is absent. Borrowed from the scope where possible.
pub fn value<'a>(_t: &'a Template, _scope: &Scope<'a>) -> Result<Option<Cow<'a, Value>>, Fault> {
    Ok(None)
}

/// The value of a shape; `None` is absent.
pub fn evaluate(_shape: &Shape, _scope: &Scope<'_>) -> Result<Option<Value>, Fault> {
    Ok(None)
}

/// A condition: must be a boolean.
pub fn boolean(_t: &Template, _scope: &Scope<'_>) -> Result<bool, Fault> {
    Ok(false)
}

/// Text for a header or a text body: string, number or boolean; `None` is absent. No CR, LF, NUL
/// is checked here: see [`header`].
pub fn text(_t: &Template, _scope: &Scope<'_>) -> Result<Option<String>, Fault> {
    Ok(None)
}

/// A header value: as [`text`], and CR, LF, NUL refused.
pub fn header(_t: &Template, _scope: &Scope<'_>) -> Result<Option<String>, Fault> {
    Ok(None)
}

/// A path: each expression is one encoded segment; empty, `.` and `..` refused.
pub fn path(_t: &Template, _scope: &Scope<'_>) -> Result<String, Fault> {
    Ok(String::new())
}

/// A base URL: an expression that fills the whole origin is a URL, one inside the host must be
/// made of host characters, one in the path is a segment. No trailing slash.
pub fn base_url(_t: &Template, _scope: &Scope<'_>) -> Result<String, Fault> {
    Ok(String::new())
}

/// Query parameters, encoded, without `?`. Absent ones are left out, null is a fault.
pub fn query(
    _params: &[(String, Shape)],
    _arrays: Arrays,
    _scope: &Scope<'_>,
) -> Result<String, Fault> {
    Ok(String::new())
}

/// A form body from a value that is an object: as `query`, but a space is `+`.
pub fn form(_value: &Value, _arrays: Arrays) -> Result<String, Fault> {
    Ok(String::new())
}
