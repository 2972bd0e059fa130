//! Puts credentials on a request.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use url::Url;

use crate::{
    auth::held::Held,
    model::{
        auth::AuthMode,
        blueprint::{Blueprint, Requests},
        http::{Authorized, Request},
        template::{Expr, Part, Shape, Template},
    },
    template::{self, Fault, Scope},
};

/// The request with the blueprint's credentials on it: headers and parameters whose templates
/// read `credentials`, and `authorization` of BASIC. `scope` holds `connection`, `integration`.
pub fn authorize(
    request: &Request,
    blueprint: &Blueprint,
    held: &Held,
    scope: &Scope<'_>,
) -> Result<Authorized, Fault> {
    put_on(request.clone(), blueprint, held.root(), scope).map(Authorized::new)
}

/// The request as a person may see it: `***` wherever a credential would stand.
pub fn preview(
    request: Request,
    blueprint: &Blueprint,
    held: &Held,
    scope: &Scope<'_>,
) -> Result<Request, Fault> {
    let masked = masked(held.root());
    let mut request = put_on(request, blueprint, &masked, scope)?;
    if matches!(blueprint.auth.mode, AuthMode::Basic { .. }) {
        request.headers.set("authorization", "Basic ***".to_owned());
    }
    if let Some(query) = request.url.query() {
        let readable = query.replace("%2A%2A%2A", "***");
        request.url.set_query(Some(&readable));
    }
    Ok(request)
}

/// The same members with every text hidden.
fn masked(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), masked(v))).collect(),
        Value::Array(list) => list.iter().map(masked).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => "***".into(),
    }
}

fn put_on(
    mut request: Request,
    blueprint: &Blueprint,
    credentials: &Value,
    scope: &Scope<'_>,
) -> Result<Request, Fault> {
    let scope = scope.clone().with("credentials", credentials);
    let Requests { headers, params, arrays, .. } = &blueprint.requests;
    for (name, template) in headers.iter().filter(|(_, template)| is_secret(template)) {
        if let Some(value) = template::header(template, &scope)? {
            request.headers.set(name, value);
        }
    }
    let secret: Vec<_> =
        params.iter().filter(|(_, shape)| is_secret_shape(shape)).cloned().collect();
    if !secret.is_empty() {
        let added = template::query(&secret, *arrays, &scope)?;
        append_query(&mut request.url, &added);
    }
    if let AuthMode::Basic { username, password } = &blueprint.auth.mode {
        let user = template::text(username, &scope)?.unwrap_or_default();
        let password = template::text(password, &scope)?.unwrap_or_default();
        let pair = STANDARD.encode(format!("{user}:{password}"));
        request.headers.set("authorization", format!("Basic {pair}"));
    }
    Ok(request)
}

/// The blueprint's base URL for one connection; it may hold credentials (an account's id).
pub fn base_url(blueprint: &Blueprint, held: &Held, scope: &Scope<'_>) -> Result<Url, Fault> {
    let scope = scope.clone().with("credentials", held.root());
    let text = template::base_url(&blueprint.requests.base_url, &scope)?;
    Url::parse(&text).map_err(|error| Fault {
        message: format!("`base_url` is no URL: {error}"),
        from_input: false,
    })
}

/// Appends encoded parameters to a URL's query.
pub fn append_query(url: &mut Url, added: &str) {
    if added.is_empty() {
        return;
    }
    let joined = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{added}"),
        Some(_) | None => added.to_owned(),
    };
    url.set_query(Some(&joined));
}

/// Whether a template reads `credentials`: such a header is put on last, and never recorded.
pub fn is_secret(template: &Template) -> bool {
    template.parts.iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Expr(expr) => expr_is_secret(expr),
    })
}

/// Whether any template of a shape reads `credentials`.
pub fn is_secret_shape(shape: &Shape) -> bool {
    match shape {
        Shape::Literal(_) => false,
        Shape::Template(template) => is_secret(template),
        Shape::Object(members) => members.iter().any(|(_, shape)| is_secret_shape(shape)),
        Shape::List(elements) => elements.iter().any(is_secret_shape),
        Shape::Map(map) => {
            is_secret(&map.list)
                || map.filter.as_ref().is_some_and(is_secret)
                || is_secret_shape(&map.to)
        }
    }
}

fn expr_is_secret(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => path.root == "credentials",
        Expr::Literal(_) => false,
        Expr::Call(call) => {
            call.args.iter().any(expr_is_secret)
                || call.named.iter().any(|(_, expr)| expr_is_secret(expr))
        }
    }
}
