//! `auth` of a blueprint.

mod parts;
mod sign;
mod answer;
mod request;
mod oauth;

use serde_json::{Value, json};

use crate::{
    catalog::{
        decode::Located,
        resolve::{
            auth::parts::{Within, read_credential, text},
            document::document,
            symbols::Names,
        },
        spec::auth::{AuthSpec, ModeSpec},
    },
    diagnostic::Diagnostics,
    model::{
        auth::{Auth, AuthMode},
        schema::Schema,
    },
};

/// How one signs in.
pub fn auth(
    spec: &Located<AuthSpec>,
    names: &Names,
    credentials: Schema,
    diagnostics: &mut Diagnostics,
) -> Option<Auth> {
    let mode = mode(spec, &names.clone().outside_runs(), diagnostics)?;
    Some(Auth { mode, credentials })
}

/// What the user enters, and the names of what else a connection of this mode holds.
pub fn credentials(spec: &AuthSpec, diagnostics: &mut Diagnostics) -> (Schema, Vec<String>) {
    let schema = match &spec.credentials {
        Some(raw) => document(&raw.0, diagnostics),
        None => Schema::new(default_credentials(spec.auth_mode.value)),
    };
    let tokens: &[&str] = match spec.auth_mode.value {
        ModeSpec::OAuth2 | ModeSpec::OAuth2Cc | ModeSpec::TwoStep | ModeSpec::App => {
            &["access_token", "refresh_token", "expires_at", "scope", "token_type", "assertion"]
        }
        ModeSpec::OAuth1 => &["oauth_token", "oauth_token_secret"],
        ModeSpec::Jwt => &["access_token"],
        ModeSpec::ApiKey
        | ModeSpec::Basic
        | ModeSpec::UsernamePassword
        | ModeSpec::AwsSigv4
        | ModeSpec::Signature
        | ModeSpec::None => &[],
    };
    let further = spec.token_response.as_ref().and_then(|map| map.tokens.as_ref());
    let further = further.into_iter().flat_map(|raw| raw.0.entries());
    let further = further.map(|(key, _)| key.name.to_string());
    (schema, tokens.iter().map(|name| (*name).to_owned()).chain(further).collect())
}

fn default_credentials(mode: ModeSpec) -> Value {
    let secret = || json!({"type": "string", "minLength": 1, "writeOnly": true});
    match mode {
        ModeSpec::ApiKey => json!({
            "type": "object", "required": ["api_key"], "additionalProperties": false,
            "properties": {"api_key": secret()}
        }),
        ModeSpec::Basic | ModeSpec::UsernamePassword => json!({
            "type": "object", "required": ["username"], "additionalProperties": false,
            "properties": {
                "username": {"type": "string", "minLength": 1},
                "password": {"type": "string", "writeOnly": true}
            }
        }),
        ModeSpec::OAuth2 => json!({
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
        }),
        ModeSpec::OAuth1 => json!({
            "type": "object", "required": ["oauth_token", "oauth_token_secret"],
            "additionalProperties": false,
            "properties": {"oauth_token": secret(), "oauth_token_secret": secret()}
        }),
        ModeSpec::AwsSigv4 => json!({
            "type": "object", "required": ["access_key_id", "secret_access_key"],
            "additionalProperties": false,
            "properties": {
                "access_key_id": {"type": "string", "minLength": 1, "title": "Access key ID"},
                "secret_access_key": secret(),
                "session_token": {"type": "string", "writeOnly": true}
            }
        }),
        ModeSpec::None
        | ModeSpec::OAuth2Cc
        | ModeSpec::TwoStep
        | ModeSpec::Jwt
        | ModeSpec::App
        | ModeSpec::Signature => json!({"type": "object", "properties": {}}),
    }
}

fn mode(
    spec: &Located<AuthSpec>,
    names: &Names,
    diagnostics: &mut Diagnostics,
) -> Option<AuthMode> {
    let Located { value: spec, node } = spec;
    let within = Within { node, names, mode: as_str(spec.auth_mode.value) };
    match spec.auth_mode.value {
        ModeSpec::None => Some(AuthMode::None),
        ModeSpec::ApiKey => Some(AuthMode::ApiKey),
        ModeSpec::Basic | ModeSpec::UsernamePassword => {
            let mut credential = |raw: Option<&_>, name| match raw {
                Some(_) => text(raw, &names.secret(), diagnostics),
                None => Some(read_credential(name)),
            };
            let username = credential(spec.username.as_ref(), "username");
            let password = credential(spec.password.as_ref(), "password");
            Some(AuthMode::Basic { username: username?, password: password? })
        }
        ModeSpec::OAuth2 => {
            oauth::oauth2(spec, within, diagnostics).map(|it| AuthMode::OAuth2(Box::new(it)))
        }
        ModeSpec::OAuth2Cc => oauth::client_credentials(spec, within, diagnostics)
            .map(|it| AuthMode::ClientCredentials(Box::new(it))),
        ModeSpec::OAuth1 => {
            oauth::oauth1(spec, within, diagnostics).map(|it| AuthMode::OAuth1(Box::new(it)))
        }
        mode @ (ModeSpec::TwoStep | ModeSpec::App) => {
            let app = matches!(mode, ModeSpec::App);
            let session = request::session(spec, app, within, diagnostics);
            session.map(|it| AuthMode::Session(Box::new(it)))
        }
        ModeSpec::Jwt => {
            if spec.assertion.is_none() {
                parts::needs("assertion", within, diagnostics);
            }
            let assertion = sign::assertion(spec.assertion.as_ref(), within, diagnostics);
            assertion.map(|it| AuthMode::Jwt(Box::new(it)))
        }
        ModeSpec::AwsSigv4 => {
            sign::sigv4(spec, within, diagnostics).map(|it| AuthMode::AwsSigv4(Box::new(it)))
        }
        ModeSpec::Signature => sign::signature(spec.signature.as_ref(), within, diagnostics)
            .map(|it| AuthMode::Signature(Box::new(it))),
    }
}

/// As it stands in files.
fn as_str(mode: ModeSpec) -> &'static str {
    match mode {
        ModeSpec::OAuth2 => "OAUTH2",
        ModeSpec::OAuth2Cc => "OAUTH2_CC",
        ModeSpec::OAuth1 => "OAUTH1",
        ModeSpec::ApiKey => "API_KEY",
        ModeSpec::Basic | ModeSpec::UsernamePassword => "BASIC",
        ModeSpec::TwoStep => "TWO_STEP",
        ModeSpec::Jwt => "JWT",
        ModeSpec::App => "APP",
        ModeSpec::AwsSigv4 => "AWS_SIGV4",
        ModeSpec::Signature => "SIGNATURE",
        ModeSpec::None => "NONE",
    }
}
