//! `auth` of a blueprint.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    catalog::{
        decode::{Located, Raw},
        resolve::{
            document::document,
            host,
            rule::rules,
            shape::{headers, pairs, span, template},
            symbols::Names,
        },
        spec::auth::{AuthSpec, ClientAuthSpec, FormatSpec, ModeSpec, TokenRequestSpec},
        tree::Node,
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        auth::{Auth, AuthMode, ClientAuth, OAuth2, TokenFormat},
        schema::Schema,
        template::{Expr, Part, Path, Shape, Template},
    },
    template::{
        check::Use,
        knowledge::{Knowledge, Presence, Symbols},
    },
};

/// How one signs in.
pub fn auth(
    spec: &Located<AuthSpec>,
    names: &Names,
    credentials: Schema,
    diagnostics: &mut Diagnostics,
) -> Option<Auth> {
    let mode = mode(spec, names, diagnostics)?;
    Some(Auth { mode, credentials })
}

/// What the user enters, and the names of what else a connection of this mode holds.
pub fn credentials(
    spec: &AuthSpec,
    diagnostics: &mut Diagnostics,
) -> Option<(Schema, &'static [&'static str])> {
    let schema = match &spec.credentials {
        Some(raw) => document(&raw.0, diagnostics)?,
        None => Schema::new(default_credentials(spec.auth_mode.value)),
    };
    let tokens: &[&str] = match spec.auth_mode.value {
        ModeSpec::OAuth2 | ModeSpec::OAuth2Cc => {
            &["access_token", "refresh_token", "expires_at", "scope", "token_type"]
        }
        ModeSpec::OAuth1 => &["oauth_token", "oauth_token_secret"],
        ModeSpec::TwoStep | ModeSpec::Jwt | ModeSpec::App => &["access_token"],
        ModeSpec::ApiKey
        | ModeSpec::Basic
        | ModeSpec::UsernamePassword
        | ModeSpec::AwsSigv4
        | ModeSpec::Signature
        | ModeSpec::None => &[],
    };
    Some((schema, tokens))
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
        ModeSpec::None
        | ModeSpec::OAuth2Cc
        | ModeSpec::OAuth1
        | ModeSpec::TwoStep
        | ModeSpec::Jwt
        | ModeSpec::App
        | ModeSpec::AwsSigv4
        | ModeSpec::Signature => json!({"type": "object", "properties": {}}),
    }
}

fn mode(
    spec: &Located<AuthSpec>,
    names: &Names,
    diagnostics: &mut Diagnostics,
) -> Option<AuthMode> {
    let Located { value: spec, node } = spec;
    let mut credential = |raw: &Option<Raw>, name: &str| match raw {
        Some(raw) => template(&raw.0, &names.secret(), Use::Text, diagnostics),
        None => Some(read_credential(name)),
    };
    match spec.auth_mode.value {
        ModeSpec::None => Some(AuthMode::None),
        ModeSpec::ApiKey => Some(AuthMode::ApiKey),
        ModeSpec::Basic | ModeSpec::UsernamePassword => Some(AuthMode::Basic {
            username: credential(&spec.username, "username")?,
            password: credential(&spec.password, "password")?,
        }),
        ModeSpec::OAuth2 => {
            oauth2(spec, (node, names), diagnostics).map(|oauth| AuthMode::OAuth2(Box::new(oauth)))
        }
        ModeSpec::OAuth2Cc
        | ModeSpec::OAuth1
        | ModeSpec::TwoStep
        | ModeSpec::Jwt
        | ModeSpec::App
        | ModeSpec::AwsSigv4
        | ModeSpec::Signature => {
            let node = &spec.auth_mode.node;
            let hint = "supported are: `OAUTH2`, `API_KEY`, `BASIC`, `NONE`";
            unsupported(&node.describe(), (node, Some(hint)), diagnostics);
            None
        }
    }
}

fn unsupported(what: &str, (node, hint): (&Node, Option<&str>), diagnostics: &mut Diagnostics) {
    let message = format!("{what} is not supported by this version");
    let (place, hint) = (Some(node.place.clone()), hint.map(str::to_owned));
    diagnostics.push(Severity::Error, "file.unsupported", message, place, hint);
}

/// `{{credentials.NAME}}`
fn read_credential(name: &str) -> Template {
    let path = Path { root: "credentials".to_owned(), segments: vec![name.to_owned()], offset: 2 };
    let source = format!("{{{{credentials.{name}}}}}");
    Template { source: source.into(), parts: vec![Part::Expr(Expr::Path(path))] }
}

fn oauth2(
    spec: &AuthSpec,
    (node, names): (&Node, &Names),
    diagnostics: &mut Diagnostics,
) -> Option<OAuth2> {
    for (name, given) in [("exchange", &spec.exchange), ("token_response", &spec.token_response)] {
        if let Some(Raw(node)) = given {
            unsupported(&format!("`{name}`"), (node, None), diagnostics);
        }
    }
    let authorization_url =
        url((&spec.authorization_url, "authorization_url"), node, names, diagnostics);
    let token_url = url((&spec.token_url, "token_url"), node, names, diagnostics);
    let refresh_url = match &spec.refresh_url {
        Some(_) => Some(url((&spec.refresh_url, "refresh_url"), node, names, diagnostics)?),
        None => None,
    };
    let secret = names.secret();
    let authorization_params =
        pairs(node_of(spec.authorization_params.as_ref()), &secret, diagnostics);
    let refresh_params = node_of(spec.refresh_params.as_ref());
    let refresh_params = refresh_params.map(|node| pairs(Some(node), &secret, diagnostics));
    let request = token_request(spec, &secret, diagnostics);
    let answer = names.answer().with("callback", Knowledge::Open, Presence::Always);
    Some(OAuth2 {
        authorization_url: authorization_url?,
        authorization_params,
        token_url: token_url?,
        token_params: request.params,
        refresh_url,
        refresh_params,
        token_headers: request.headers,
        default_scopes: spec.default_scopes.clone(),
        scope_separator: spec.scope_separator.clone().unwrap_or_else(|| " ".to_owned()),
        pkce: spec.pkce.unwrap_or(true),
        client_auth: request.client_auth,
        body_format: request.format,
        expires_in: span(spec.expires_in.as_ref(), diagnostics),
        token_responses: rules(&spec.token_responses, &answer, diagnostics),
        save: pairs(node_of(spec.save.as_ref()), &answer.clone().lenient(), diagnostics),
    })
}

fn node_of(raw: Option<&Raw>) -> Option<&Arc<Node>> {
    raw.map(|raw| &raw.0)
}

fn url(
    (raw, name): (&Option<Raw>, &str),
    node: &Node,
    names: &Names,
    diagnostics: &mut Diagnostics,
) -> Option<Template> {
    let Some(Raw(given)) = raw else {
        let message = format!("`OAUTH2` needs `{name}`");
        diagnostics.error("file.missing-key", message, Some(node.place.clone()));
        return None;
    };
    let url = template(given, &names.secret(), Use::BaseUrl, diagnostics)?;
    host::check(&url, (given, names), diagnostics);
    Some(url)
}

/// How token requests are made.
struct TokenRequest {
    headers: Vec<(String, Template)>,
    params: Vec<(String, Shape)>,
    client_auth: ClientAuth,
    format: TokenFormat,
}

/// By `token_request`, or by its short forms beside it.
fn token_request(
    spec: &AuthSpec,
    symbols: &Symbols,
    diagnostics: &mut Diagnostics,
) -> TokenRequest {
    let none = TokenRequestSpec::default();
    let full = spec.token_request.as_ref().unwrap_or(&none);
    for (name, given) in [("method", &full.method), ("rename", &full.rename)] {
        let post = given.as_ref().is_some_and(|raw| raw.0.as_str() == Some("POST"));
        if let Some(Raw(node)) = given.as_ref().filter(|_| !(name == "method" && post)) {
            unsupported(&format!("`token_request.{name}`"), (node, None), diagnostics);
        }
    }
    let client_auth = full.client_auth.as_ref().or(spec.authorization_method.as_ref());
    let format = full.format.or(spec.body_format);
    TokenRequest {
        headers: headers(
            node_of(full.headers.as_ref()).or(node_of(spec.token_headers.as_ref())),
            symbols,
            diagnostics,
        ),
        params: pairs(
            node_of(full.params.as_ref()).or(node_of(spec.token_params.as_ref())),
            symbols,
            diagnostics,
        ),
        client_auth: match client_auth.map(|given| given.value) {
            None | Some(ClientAuthSpec::Body) => ClientAuth::Body,
            Some(ClientAuthSpec::Header | ClientAuthSpec::Basic) => ClientAuth::Basic,
            Some(ClientAuthSpec::BasicRaw) => ClientAuth::BasicRaw,
            Some(ClientAuthSpec::None) => ClientAuth::None,
            Some(ClientAuthSpec::PrivateKeyJwt) => {
                if let Some(Located { node, .. }) = client_auth {
                    unsupported(&node.describe(), (node, None), diagnostics);
                }
                ClientAuth::None
            }
        },
        format: match format {
            None | Some(FormatSpec::Form) => TokenFormat::Form,
            Some(FormatSpec::Json) => TokenFormat::Json,
            Some(FormatSpec::Query) => TokenFormat::Query,
        },
    }
}
