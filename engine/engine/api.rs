//! `engine request`: any endpoint of an API as an action of one step.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    engine::call::ApiCall,
    error::Error,
    model::{
        action::{Accept, Action, Body, Effect, Step, StepPagination},
        blueprint::Blueprint,
        pagination::Pagination,
        schema::Schema,
        template::{Expr, Part, Path, Shape, Template},
    },
    policy::plan::PreparedAction,
};

/// The one step's name.
pub const STEP: &str = "request";

/// An action that sends `call` and returns `{status, headers, body}`, or with pagination
/// `{status, headers, items, truncated}`.
#[expect(clippy::too_many_lines, reason = "one line a field of the model")]
pub fn action(call: &ApiCall, blueprint: &Blueprint) -> Result<Arc<PreparedAction>, Error> {
    let (path, query) = split(call)?;
    let paginate = match (call.paginate, &blueprint.paginate) {
        (false, _) => None,
        (true, Some(pagination)) => Some(StepPagination {
            pagination: Pagination::clone(pagination),
            one: false,
            from: None,
        }),
        (true, None) => {
            return Err(Error::Call {
                code: "call.no-pagination",
                message: format!("`{}` does not say how this API pages", blueprint.id),
                hint: Some(
                    "give the blueprint a `paginate:`, or leave `--paginate` out".to_owned(),
                ),
            });
        }
    };
    let members: &[&str] = if call.paginate {
        &["status", "headers", "items", "truncated"]
    } else {
        &["status", "headers", "body"]
    };
    let output = members.iter().map(|name| ((*name).to_owned(), read(name))).collect();
    let literal = |(name, value): &(String, String)| {
        (name.clone(), Shape::Literal(Value::String(value.clone())))
    };
    let mut headers: Vec<(String, Template)> =
        call.headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), Template::text(v))).collect();
    let body = match &call.body {
        None => Body::Empty,
        Some((bytes, kind)) => {
            headers.retain(|(name, _)| name != "content-type");
            headers.push(("content-type".to_owned(), Template::text(kind)));
            let engine = base64::engine::general_purpose::STANDARD;
            Body::Bytes(Template::text(&base64::Engine::encode(&engine, bytes)))
        }
    };
    let action = Action {
        name: STEP.to_owned(),
        blueprint: blueprint.id.clone(),
        title: None,
        description: None,
        effect: Effect::Write,
        scopes: Vec::new(),
        input: Schema::new(Value::Bool(true)),
        steps: vec![Step {
            id: STEP.to_owned(),
            condition: None,
            each: None,
            method: call.method,
            path: Template::text(&path),
            query: query.iter().chain(&call.query).map(literal).collect(),
            headers,
            body,
            accept: if call.paginate { Accept::Json } else { Accept::Auto },
            paginate,
            idempotent: call.idempotent,
            timeout: None,
            rules: Vec::new(),
            output: None,
        }],
        output: Shape::Object(output),
        returns: None,
        timeout: None,
        max_requests: None,
        tests: Vec::new(),
    };
    Ok(Arc::new(PreparedAction::new(action, blueprint)))
}

/// `{{opt steps.request.NAME}}`
fn read(name: &str) -> Shape {
    let path = Path {
        root: "steps".to_owned(),
        segments: vec![STEP.to_owned(), name.to_owned()],
        offset: 0,
    };
    let call = crate::model::template::Call {
        helper: "opt",
        args: vec![Expr::Path(path)],
        named: Vec::new(),
    };
    Shape::Template(Template {
        source: format!("{{{{opt steps.{STEP}.{name}}}}}").into(),
        parts: vec![Part::Expr(Expr::Call(Box::new(call)))],
    })
}

/// Path and query of `/path?query`; other origins and climbing paths are refused.
fn split(call: &ApiCall) -> Result<(String, Vec<(String, String)>), Error> {
    let refuse = |message: String| {
        Err(Error::Call {
            code: "call.bad-path",
            message,
            hint: Some("give a path relative to the base URL, such as `/me`; `engine show` prints the base URL".to_owned()),
        })
    };
    let (path, query) = call.path.split_once('?').unwrap_or((call.path.as_str(), ""));
    if !path.starts_with('/') {
        return refuse(format!("the path `{path}` does not begin with `/`"));
    }
    let climbs = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if path.contains(['\\', '#'])
        || path.split('/').any(climbs)
        || path.chars().any(char::is_control)
    {
        return refuse(format!("the path `{path}` cannot be sent as it stands"));
    }
    let query = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    Ok((path.to_owned(), query))
}
