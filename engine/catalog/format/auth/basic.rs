//! `BASIC`, `USERNAME_PASSWORD`, and the modes without keys: `API_KEY`, `NONE`.

use serde_json::json;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::mode::{Mode, nothing, secret},
            symbols::Names,
            text::{credential, text},
        },
    },
    model::auth::AuthMode,
};

/// HTTP Basic.
pub static BASIC: Mode = Mode {
    read: basic,
    credentials: || {
        json!({
            "type": "object", "required": ["username"], "additionalProperties": false,
            "properties": {
                "username": {"type": "string", "minLength": 1},
                "password": {"type": "string", "writeOnly": true}
            }
        })
    },
    holds: &[],
    bears_token: false,
};

fn basic(o: &mut Object<'_>, names: &Names) -> AuthMode {
    let secret = names.secret();
    AuthMode::Basic {
        username: o.or(key("username", "The name."), text(secret), credential("username")),
        password: o.or(key("password", "The password."), text(secret), credential("password")),
    }
}

/// A key that `requests` places.
pub static API_KEY: Mode = Mode {
    read: |_, _| AuthMode::ApiKey,
    credentials: || {
        json!({
            "type": "object", "required": ["api_key"], "additionalProperties": false,
            "properties": {"api_key": secret()}
        })
    },
    holds: &[],
    bears_token: false,
};

/// Nobody signs in.
pub static NONE: Mode =
    Mode { read: |_, _| AuthMode::None, credentials: nothing, holds: &[], bears_token: false };
