//! `OAUTH1` (RFC 5849).

use serde_json::json;

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                answer::save,
                mode::{Mode, needed_url, params, secret},
            },
            symbols::Names,
            text::text,
        },
    },
    model::{
        auth::{AuthMode, OAuth1},
        sign::SignatureMethod,
    },
};

/// OAuth 1.
pub static OAUTH1: Mode = Mode {
    read: oauth1,
    credentials: || {
        json!({
            "type": "object", "required": ["oauth_token", "oauth_token_secret"],
            "additionalProperties": false,
            "properties": {"oauth_token": secret(), "oauth_token_secret": secret()}
        })
    },
    holds: &["oauth_token", "oauth_token_secret"],
    bears_token: false,
};

fn oauth1(o: &mut Object<'_>, names: &Names) -> AuthMode {
    let request_url = key("request_url", "Where temporary credentials come from.");
    let authorization_url = key("authorization_url", "Where the browser goes.");
    let further = key("authorization_params", "Further parameters of that URL.");
    let token_url = key("token_url", "Where grants become tokens.");
    let signs = key("signature_method", "How requests are signed.");
    AuthMode::OAuth1(Box::new(OAuth1 {
        request_url: needed_url(o, request_url, names),
        authorization_url: needed_url(o, authorization_url, names),
        authorization_params: params(o, further, names).unwrap_or_default(),
        token_url: needed_url(o, token_url, names),
        signature_method: o.or(signs, &METHODS, SignatureMethod::HmacSha1),
        realm: o.optional(key("realm", "`realm` of the header."), text(names.secret())),
        save: save(o, names.base()),
    }))
}

static METHODS: Choices<SignatureMethod> = Choices {
    name: "SignatureMethod",
    doc: "How requests are signed.",
    rows: &[
        row("HMAC-SHA1", SignatureMethod::HmacSha1, "RFC 5849, section 3.4.2."),
        row("HMAC-SHA256", SignatureMethod::HmacSha256, "The same with SHA-256."),
        row("PLAINTEXT", SignatureMethod::Plaintext, "The secrets themselves; over TLS only."),
    ],
};
