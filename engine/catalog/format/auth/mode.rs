//! What a mode of signing in is to the reader.

use serde_json::{Value, json};

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            symbols::Names,
            text::{as_text, url},
        },
    },
    model::{
        auth::AuthMode,
        template::{Shape, Template},
    },
};

/// One way to sign in.
#[derive(Debug)]
pub struct Mode {
    /// Reads the keys that belong to it.
    pub read: fn(&mut Object<'_>, &Names) -> AuthMode,
    /// What a person enters, as a JSON Schema, unless the blueprint says it.
    pub credentials: fn() -> Value,
    /// What else a connection holds, by name.
    pub holds: &'static [&'static str],
    /// Whether requests carry `Authorization: Bearer {{credentials.access_token}}` unless the
    /// blueprint says otherwise.
    pub bears_token: bool,
}

/// What connections of token modes hold.
pub const TOKENS: &[&str] =
    &["access_token", "refresh_token", "expires_at", "scope", "token_type", "assertion"];

/// A text that must not be shown.
pub fn secret() -> Value {
    json!({"type": "string", "minLength": 1, "writeOnly": true})
}

/// Nothing is entered.
pub fn nothing() -> Value {
    json!({"type": "object", "properties": {}})
}

/// A whole URL that must be there.
pub fn needed_url(o: &mut Object<'_>, key: Key, names: &Names) -> Template {
    o.needed(key, url(names.secret(), names))
}

/// A whole URL that may be left out.
pub fn optional_url(o: &mut Object<'_>, key: Key, names: &Names) -> Option<Template> {
    o.optional(key, url(names.secret(), names))
}

/// Parameters that may be left out.
pub fn params(o: &mut Object<'_>, key: Key, names: &Names) -> Option<Vec<(String, Shape)>> {
    o.optional(key, Map(as_text(names.secret())))
}
