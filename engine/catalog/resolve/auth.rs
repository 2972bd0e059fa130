//! `auth` and `requests` of a blueprint.

use serde_json::json;

use crate::{
    catalog::{
        decode::{Located, Raw},
        resolve::{
            rule::rules,
            shape::{headers, pairs, span, template},
            symbols::{Names, with_answer},
        },
        spec::blueprint::{
            ArraysSpec, AuthSpec, ClientAuthSpec, FormatSpec, ModeSpec, RequestsSpec,
        },
        tree::Node,
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        auth::{Auth, AuthMode, ClientAuth, OAuth2, TokenFormat},
        blueprint::{Arrays, Requests},
        schema::Schema,
        template::{Expr, Part, Path, Template},
    },
    schema,
    template::check::Use,
};

/// An answer is never larger unless the blueprint says so.
const MAX_RESPONSE: u64 = 50 * 1000 * 1000;
/// Of one exchange, unless the blueprint says otherwise.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// How one signs in.
pub fn auth(spec: &Located<AuthSpec>, names: &Names, diagnostics: &mut Diagnostics) -> Option<Auth> {
    let mode = mode(&spec.value, (&spec.node, names), diagnostics)?;
    let credentials = match &spec.value.credentials {
        Some(raw) => document(&raw.0, diagnostics)?,
        None => Schema::new(default_credentials(&mode)),
    };
    Some(Auth { mode, credentials })
}

/// A JSON Schema of a file, compiled.
pub fn document(node: &Node, diagnostics: &mut Diagnostics) -> Option<Schema> {
    match schema::compile(&node.to_json()) {
        Ok(schema) => Some(schema),
        Err(problem) => {
            let mut at = node;
            for name in problem.pointer.split('/').skip(1) {
                let name = name.replace("~1", "/").replace("~0", "~");
                let below = at.get(&name).or_else(|| at.items().get(name.parse::<usize>().ok()?));
                at = below.map_or(at, |node| &**node);
            }
            diagnostics.error("file.bad-schema", problem.message, Some(at.place.clone()));
            None
        }
    }
}

fn default_credentials(mode: &AuthMode) -> serde_json::Value {
    let secret = || json!({"type": "string", "minLength": 1, "writeOnly": true});
    match mode {
        AuthMode::None => json!({"type": "object", "properties": {}}),
        AuthMode::ApiKey => {
            json!({"type": "object", "required": ["api_key"], "additionalProperties": false, "properties": {"api_key": secret()}})
        }
        AuthMode::Basic { .. } => json!({
            "type": "object", "required": ["username"], "additionalProperties": false,
            "properties": {"username": {"type": "string", "minLength": 1}, "password": {"type": "string", "writeOnly": true}}
        }),
        AuthMode::OAuth2(_) => json!({
            "type": "object", "required": ["access_token"], "additionalProperties": false,
            "properties": {
                "access_token": secret(), "refresh_token": secret(),
                "expires_in": {"type": ["number", "string"], "description": "Seconds from now."},
                "expires_at": {"type": ["number", "string"], "description": "RFC 3339, or seconds since 1970."},
                "scope": {"type": "string"}, "token_type": {"type": "string"}
            }
        }),
    }
}

fn mode(
    spec: &AuthSpec,
    (node, names): (&Node, &Names),
    diagnostics: &mut Diagnostics,
) -> Option<AuthMode> {
    let symbols = names.secret();
    let mut credential = |raw: &Option<Raw>, name: &str| match raw {
        Some(raw) => template(&raw.0, &symbols, Use::Text, diagnostics),
        None => Some(read_credential(name)),
    };
    match spec.auth_mode.value {
        ModeSpec::None => Some(AuthMode::None),
        ModeSpec::ApiKey => Some(AuthMode::ApiKey),
        ModeSpec::Basic | ModeSpec::UsernamePassword => Some(AuthMode::Basic {
            username: credential(&spec.username, "username")?,
            password: credential(&spec.password, "password")?,
        }),
        ModeSpec::OAuth2 => oauth2(spec, (node, names), diagnostics).map(|o| AuthMode::OAuth2(Box::new(o))),
        ModeSpec::OAuth2Cc
        | ModeSpec::OAuth1
        | ModeSpec::TwoStep
        | ModeSpec::Jwt
        | ModeSpec::App
        | ModeSpec::AwsSigv4
        | ModeSpec::Signature => {
            let node = &spec.auth_mode.node;
            let message = format!("{} is not supported by this version", node.describe());
            let hint = "supported are: `OAUTH2`, `API_KEY`, `BASIC`, `NONE`".to_owned();
            diagnostics.push(Severity::Error, "file.unsupported", message, Some(node.place.clone()), Some(hint));
            None
        }
    }
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
    let secret = names.secret();
    let node_of = |raw: &Option<Raw>| raw.as_ref().map(|raw| raw.0.clone());
    let mut url = |raw: &Option<Raw>, name: &str| match raw {
        Some(raw) => template(&raw.0, &secret, Use::BaseUrl, diagnostics),
        None => {
            let message = format!("`OAUTH2` needs `{name}`");
            diagnostics.error("file.missing-key", message, Some(node.place.clone()));
            None
        }
    };
    let authorization_url = url(&spec.authorization_url, "authorization_url");
    let token_url = url(&spec.token_url, "token_url");
    let refresh_url = match &spec.refresh_url {
        Some(_) => Some(url(&spec.refresh_url, "refresh_url")?),
        None => None,
    };
    let mut params = |raw: &Option<Raw>| pairs(node_of(raw).as_ref(), &secret, diagnostics);
    let authorization_params = params(&spec.authorization_params);
    let token_params = params(&spec.token_params);
    let refresh_params = spec.refresh_params.is_some().then(|| params(&spec.refresh_params));
    let token_headers = headers(node_of(&spec.token_headers).as_ref(), &secret, diagnostics);
    let answer = with_answer(names.base()).with(
        "callback",
        crate::template::knowledge::Knowledge::Open,
        crate::template::knowledge::Presence::Always,
    );
    let save = pairs(node_of(&spec.save).as_ref(), &answer.clone().lenient(), diagnostics);
    Some(OAuth2 {
        authorization_url: authorization_url?,
        authorization_params,
        token_url: token_url?,
        token_params,
        refresh_url,
        refresh_params,
        token_headers,
        default_scopes: spec.default_scopes.clone(),
        scope_separator: spec.scope_separator.clone().unwrap_or_else(|| " ".to_owned()),
        pkce: spec.pkce.unwrap_or(true),
        client_auth: match spec.authorization_method {
            None | Some(ClientAuthSpec::Body) => ClientAuth::Body,
            Some(ClientAuthSpec::Header | ClientAuthSpec::Basic) => ClientAuth::Basic,
            Some(ClientAuthSpec::BasicRaw) => ClientAuth::BasicRaw,
            Some(ClientAuthSpec::None) => ClientAuth::None,
        },
        body_format: match spec.body_format {
            None | Some(FormatSpec::Form) => TokenFormat::Form,
            Some(FormatSpec::Json) => TokenFormat::Json,
            Some(FormatSpec::Query) => TokenFormat::Query,
        },
        expires_in: span(spec.expires_in.as_ref(), diagnostics),
        token_responses: rules_of(spec, &answer, diagnostics),
        save,
    })
}

fn rules_of(
    spec: &AuthSpec,
    symbols: &crate::template::knowledge::Symbols,
    diagnostics: &mut Diagnostics,
) -> Vec<crate::model::rule::Rule> {
    // Specs are read once; rules take theirs over, so they are borrowed as clones of nodes.
    let again = |rule: &crate::catalog::spec::common::RuleSpec| crate::catalog::spec::common::RuleSpec {
        when: rule.when.clone(),
        is: rule.is.clone(),
        code: rule.code,
        message: rule.message.clone(),
        wait: rule.wait.clone(),
        value: rule.value.clone(),
    };
    rules(spec.token_responses.iter().map(again).collect(), symbols, diagnostics)
}

/// Where requests go and what they carry.
pub fn requests(
    spec: &Located<RequestsSpec>,
    (mode, names): (&AuthMode, &Names),
    diagnostics: &mut Diagnostics,
) -> Option<Requests> {
    let Located { value: spec, .. } = spec;
    let symbols = names.secret();
    let base_url = template(&spec.base_url.0, &symbols, Use::BaseUrl, diagnostics)?;
    host_is_safe(&base_url, (&spec.base_url.0, names), diagnostics);
    let mut fields = headers(spec.headers.as_ref().map(|raw| &raw.0), &symbols, diagnostics);
    if matches!(mode, AuthMode::OAuth2(_)) && !carries_credentials(&fields, spec) {
        let parts = vec![
            Part::Text("Bearer ".to_owned()),
            Part::Expr(Expr::Path(Path {
                root: "credentials".to_owned(),
                segments: vec!["access_token".to_owned()],
                offset: 9,
            })),
        ];
        let source = "Bearer {{credentials.access_token}}".into();
        fields.push(("authorization".to_owned(), Template { source, parts }));
    }
    let mut hosts = Vec::new();
    for host in &spec.hosts {
        let plain = host.value.strip_prefix("*.").unwrap_or(&host.value);
        let fits = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        if !fits || (host.value.starts_with("*.") && !plain.contains('.')) {
            let message = format!("`{}` is no host", host.value);
            let hint = "write `files.example.com` or `*.example.com`".to_owned();
            diagnostics.push(Severity::Error, "file.bad-value", message, Some(host.node.place.clone()), Some(hint));
        }
        hosts.push(host.value.to_ascii_lowercase());
    }
    Some(Requests {
        base_url,
        hosts,
        headers: fields,
        params: pairs(spec.params.as_ref().map(|raw| &raw.0), &symbols, diagnostics),
        arrays: match spec.arrays {
            None | Some(ArraysSpec::Repeat) => Arrays::Repeat,
            Some(ArraysSpec::Brackets) => Arrays::Brackets,
            Some(ArraysSpec::Indices) => Arrays::Indices,
            Some(ArraysSpec::Comma) => Arrays::Comma,
        },
        timeout: match &spec.timeout {
            Some(_) => span(spec.timeout.as_ref(), diagnostics).filter(|span| !span.is_zero()),
            None => Some(TIMEOUT),
        },
        max_response: spec.max_response.unwrap_or(MAX_RESPONSE),
    })
}

/// Whether the file itself says where the token goes.
fn carries_credentials(fields: &[(String, Template)], spec: &RequestsSpec) -> bool {
    let token = |text: &str| text.contains("credentials.access_token");
    let params = spec.params.as_ref().map(|raw| raw.0.to_json().to_string());
    fields.iter().any(|(name, template)| name == "authorization" || token(&template.source))
        || params.is_some_and(|text| token(&text))
}

/// A connection's value may stand in a host only behind an anchored pattern (threat T28).
fn host_is_safe(base: &Template, (node, names): (&Node, &Names), diagnostics: &mut Diagnostics) {
    let mut before = String::new();
    for part in &base.parts {
        match part {
            Part::Text(text) => before.push_str(text),
            Part::Expr(expr) => {
                let in_host = before.split_once("://").is_none_or(|(_, rest)| !rest.contains(['/', '?', '#']));
                if let (true, Expr::Path(path)) = (in_host, expr)
                    && path.root == "connection"
                {
                    let name = path.segments.first().map_or("", String::as_str);
                    let pattern = names.connection["properties"][name]["pattern"].as_str();
                    if !pattern.is_some_and(|p| p.starts_with('^') && p.ends_with('$')) {
                        let message = format!("`connection.{name}` stands in a host and has no anchored `pattern`");
                        let hint = "give it one in the `connection` schema: `pattern: '^[a-z0-9][a-z0-9-]*$'`".to_owned();
                        let place = node.place_within(path.offset, path.root.len());
                        diagnostics.push(Severity::Error, "file.unsafe-host", message, Some(place), Some(hint));
                    }
                }
                before.push('x');
            }
        }
    }
}
