//! `engine request`: what is asked of any endpoint of an API, checked before anything is sent.

use std::sync::Arc;

use crate::{
    engine::call::ApiCall,
    error::{CallCode, Error},
    model::blueprint::Blueprint,
    run::ApiRequest,
};

/// The request that a call asks for, or why it cannot be sent.
pub fn checked(call: ApiCall, blueprint: &Blueprint) -> Result<ApiRequest, Error> {
    let (path, mut query) = split(&call.path)?;
    query.extend(call.query);
    let paginate = match (call.paginate, &blueprint.paginate) {
        (false, _) => None,
        (true, Some(pagination)) => Some(Arc::clone(pagination)),
        (true, None) => {
            return Err(Error::call(
                CallCode::NoPagination,
                format!("`{}` does not say how this API pages", blueprint.id),
                "give the blueprint a `paginate:`, or leave `--paginate` out".to_owned(),
            ));
        }
    };
    Ok(ApiRequest {
        method: call.method,
        path,
        query,
        headers: call.headers,
        body: call.body,
        paginate,
        idempotent: call.idempotent,
    })
}

/// Path and query of `/path?query`; other origins and climbing paths are refused.
fn split(target: &str) -> Result<(String, Vec<(String, String)>), Error> {
    let refuse = |message: String| {
        Err(Error::Call {
            code: CallCode::BadPath,
            message,
            hint: Some("give a path relative to the base URL, such as `/me`; `engine show` prints the base URL".to_owned()),
        })
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
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
