//! `OAUTH2`: an authorization code (RFC 6749, section 4.1).

use serde_json::{Value, json};

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::{
                mode::{Mode, TOKENS, needed_url, optional_url, params, secret},
                request::{alone, request, revoke},
                token::{endpoint, scopes},
            },
            symbols::Names,
            text::text,
        },
    },
    model::auth::{AuthMode, OAuth2},
};

/// An authorization code.
pub static OAUTH2: Mode =
    Mode { read: oauth2, credentials: tokens, holds: TOKENS, bears_token: true };

fn oauth2(o: &mut Object<'_>, names: &Names) -> AuthMode {
    let (default_scopes, scope_separator) = scopes(o);
    let devices = "Where devices ask for a code (RFC 8628).";
    let refresh = "Where refresh tokens become tokens; without it, `token_url`.";
    let refreshed = "Further parameters of refresh requests; without it, `token_params`.";
    let issuer = "`iss` that callbacks carry (RFC 9207); what carries none or another one is \
                  refused.";
    let iss = "Whether callbacks must carry `iss`, where `issuer` is given.";
    let trades = "A request that trades the first token for the lasting one.";
    let ends = "A request that says when a token ends whose answer did not (RFC 7662).";
    let renames = "Other names for parameters of the authorization URL.";
    let code = key("code_param", "The callback's parameter with the code.");
    let trade = object("TokenExchange", trades, |o| (request(o, names.secret(), names), once(o)));
    let (exchange, exchange_once) = o
        .optional(key("exchange", trades), trade)
        .map_or((None, false), |(request, once)| (Some(request), once));
    AuthMode::OAuth2(Box::new(OAuth2 {
        authorization_url: needed_url(
            o,
            key("authorization_url", "Where the browser goes."),
            names,
        ),
        authorization_params: params(
            o,
            key("authorization_params", "Further parameters of that URL."),
            names,
        )
        .unwrap_or_default(),
        authorization_rename: o.map(key("authorization_rename", renames), TEXT),
        code_param: o.or(code, TEXT, "code".to_owned()),
        device_authorization_url: optional_url(o, key("device_authorization_url", devices), names),
        default_scopes,
        scope_separator,
        pkce: o.or(key("pkce", "PKCE with S256 (RFC 7636)."), BOOL, true),
        issuer: o.optional(key("issuer", issuer), text(names.base())),
        issuer_required: o.or(key("iss", iss), &ISS, true),
        token: endpoint(o, names),
        refresh_url: optional_url(o, key("refresh_url", refresh), names),
        refresh_params: params(o, key("refresh_params", refreshed), names),
        exchange,
        exchange_once,
        introspect: alone(o, key("introspect", ends), names),
        revoke: revoke(o, names),
    }))
}

/// `once` of `exchange`.
fn once(o: &mut Object<'_>) -> bool {
    let once = "Only at the sign-in; without it, after every refresh as well.";
    o.or(key("once", once), BOOL, false)
}

static ISS: Choices<bool> = Choices {
    name: "Iss",
    doc: "Whether callbacks must carry `iss` (RFC 9207).",
    rows: &[
        row("required", true, "One without it is refused."),
        row("optional", false, "One without it is taken; another issuer's is refused."),
    ],
};

fn tokens() -> Value {
    json!({
        "type": "object", "required": ["access_token"], "additionalProperties": false,
        "properties": {
            "access_token": secret(),
            "refresh_token": secret(),
            "expires_in": {"type": ["number", "string"], "description": "Seconds from now."},
            "expires_at": {
                "type": ["number", "string"],
                "description": "RFC 3339, or seconds since 1970."
            },
            "scope": {"type": "string"},
            "token_type": {"type": "string"}
        }
    })
}
