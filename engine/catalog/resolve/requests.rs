//! `requests` of a blueprint.

use std::time::Duration;

use crate::{
    catalog::{
        decode::Located,
        resolve::{
            host,
            shape::{headers, pairs, span, template},
            symbols::{Names, member},
        },
        spec::{
            auth::ModeSpec,
            blueprint::{ArraysSpec, RequestsSpec},
        },
    },
    diagnostic::{Diagnostics, Severity},
    model::{
        blueprint::{Arrays, Requests},
        template::{Expr, Part, Path, Template},
    },
    template::{
        check::Use,
        knowledge::{Knowledge, Presence},
    },
};

/// An answer is never larger unless the blueprint says so.
const MAX_RESPONSE: u64 = 50 * 1000 * 1000;
/// Of one exchange, unless the blueprint says otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Where requests go, and how long one exchange may take; `None` waits for ever.
pub type Timed = (Requests, Option<Duration>);

/// The place of a base's requests, which none are made of (RFC 2606: the name never resolves).
pub fn nowhere() -> Timed {
    let requests = Requests {
        base_url: Template::text("https://base.invalid"),
        hosts: Vec::new(),
        headers: Vec::new(),
        params: Vec::new(),
        json: Vec::new(),
        form: Vec::new(),
        arrays: Arrays::default(),
        max_response: MAX_RESPONSE,
    };
    (requests, Some(TIMEOUT))
}

/// Where requests go and what they carry.
pub fn requests(
    spec: &Located<RequestsSpec>,
    (mode, names): (ModeSpec, &Names),
    diagnostics: &mut Diagnostics,
) -> Option<Timed> {
    let Located { value: spec, .. } = spec;
    let mut symbols = names.secret();
    if mode == ModeSpec::Signature {
        let members = ["value", "timestamp", "nonce"].map(|name| member(name, Knowledge::Leaf));
        let record = Knowledge::Record { members: members.into(), open: false };
        symbols = symbols.with("signature", record, Presence::Always);
    }
    let base_url = template(&spec.base_url.0, &symbols, Use::BaseUrl, diagnostics);
    if let Some(base_url) = &base_url {
        host::check(base_url, (&spec.base_url.0, names), diagnostics);
    }
    let mut fields = headers(spec.headers.as_ref().map(|raw| &raw.0), &symbols, diagnostics);
    if bears_token(mode) && !carries_credentials(&fields, spec) {
        fields.push(("authorization".to_owned(), bearer()));
    }
    for host in &spec.hosts {
        check_host(host, diagnostics);
    }
    let hosts = spec.hosts.iter().map(|host| host.value.to_ascii_lowercase()).collect();
    let mut pairs = |raw: Option<&_>| pairs(raw, &symbols, diagnostics);
    let [params, json, form] =
        [&spec.params, &spec.json, &spec.form].map(|raw| pairs(raw.as_ref().map(|raw| &raw.0)));
    let timeout = match &spec.timeout {
        Some(_) => span(spec.timeout.as_ref(), diagnostics).filter(|span| !span.is_zero()),
        None => Some(TIMEOUT),
    };
    let requests = Requests {
        base_url: base_url?,
        hosts,
        headers: fields,
        params,
        json,
        form,
        arrays: match spec.arrays {
            None | Some(ArraysSpec::Repeat) => Arrays::Repeat,
            Some(ArraysSpec::Brackets) => Arrays::Brackets,
            Some(ArraysSpec::Indices) => Arrays::Indices,
            Some(ArraysSpec::Comma) => Arrays::Comma,
        },
        max_response: spec.max_response.unwrap_or(MAX_RESPONSE),
    };
    Some((requests, timeout))
}

/// Whether requests carry `Authorization: Bearer {{credentials.access_token}}` unless the blueprint
/// says otherwise.
fn bears_token(mode: ModeSpec) -> bool {
    match mode {
        ModeSpec::OAuth2
        | ModeSpec::OAuth2Cc
        | ModeSpec::TwoStep
        | ModeSpec::App
        | ModeSpec::Jwt => true,
        ModeSpec::OAuth1
        | ModeSpec::ApiKey
        | ModeSpec::Basic
        | ModeSpec::UsernamePassword
        | ModeSpec::AwsSigv4
        | ModeSpec::Signature
        | ModeSpec::None => false,
    }
}

/// Whether the file itself says where the token goes.
fn carries_credentials(fields: &[(String, Template)], spec: &RequestsSpec) -> bool {
    let token = |text: &str| text.contains("credentials.access_token");
    let params = spec.params.as_ref().map(|raw| raw.0.to_json().to_string());
    fields.iter().any(|(name, template)| name == "authorization" || token(&template.source))
        || params.is_some_and(|text| token(&text))
}

/// `Bearer {{credentials.access_token}}`
fn bearer() -> Template {
    let segments = vec!["access_token".to_owned()];
    let path = Path { root: "credentials".to_owned(), segments, offset: 9 };
    Template {
        source: "Bearer {{credentials.access_token}}".into(),
        parts: vec![Part::Text("Bearer ".to_owned()), Part::Expr(Expr::Path(path))],
    }
}

/// `files.example.com`, or `*.example.com`; never a whole top-level domain.
fn check_host(host: &Located<String>, diagnostics: &mut Diagnostics) {
    let plain = host.value.strip_prefix("*.").unwrap_or(&host.value);
    let byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let whole = !plain.is_empty() && !plain.starts_with('.') && !plain.ends_with('.');
    let wide = host.value.starts_with("*.") && !plain.contains('.');
    if whole && !wide && plain.bytes().all(byte) {
        return;
    }
    let message = format!("`{}` is no host", host.value);
    let hint = "write `files.example.com` or `*.example.com`".to_owned();
    let place = Some(host.node.place.clone());
    diagnostics.push(Severity::Error, "file.bad-value", message, place, Some(hint));
}
