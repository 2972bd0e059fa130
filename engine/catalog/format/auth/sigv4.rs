//! `AWS_SIGV4`: AWS Signature Version 4.

use serde_json::json;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::mode::{Mode, secret},
            symbols::Names,
            text::text,
        },
    },
    model::{auth::AuthMode, sign::AwsSigv4},
};

/// AWS Signature Version 4.
pub static AWS_SIGV4: Mode = Mode {
    read: sigv4,
    credentials: || {
        json!({
            "type": "object", "required": ["access_key_id", "secret_access_key"],
            "additionalProperties": false,
            "properties": {
                "access_key_id": {"type": "string", "minLength": 1, "title": "Access key ID"},
                "secret_access_key": secret(),
                "session_token": {"type": "string", "writeOnly": true}
            }
        })
    },
    holds: &[],
    bears_token: false,
};

fn sigv4(o: &mut Object<'_>, names: &Names) -> AuthMode {
    let secret = names.secret();
    AuthMode::AwsSigv4(Box::new(AwsSigv4 {
        service: o.needed(key("service", "The service's name.").like("dynamodb"), text(secret)),
        region: o.needed(key("region", "The region.").like("eu-central-1"), text(secret)),
    }))
}
