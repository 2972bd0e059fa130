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
    let (path, raw_query) = split(&call.path)?;
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
        path: path.to_owned(),
        raw_query: raw_query.to_owned(),
        query: call.query,
        headers: call.headers,
        body: call.body,
        paginate,
        idempotent: call.idempotent,
    })
}

const RELATIVE: &str = "give a path relative to the base URL, such as `/me`; `engine show` prints \
                        the base URL";

/// Path and query of `/path?query`; other origins and climbing paths are refused.
fn split(target: &str) -> Result<(&str, &str), Error> {
    let refuse = |message: String| Err(Error::call(CallCode::BadPath, message, RELATIVE));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') {
        return refuse(format!("the path `{path}` does not begin with `/`"));
    }
    let climbs = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if path.contains('\\')
        || path.split('/').any(climbs)
        || target.contains(|c: char| c == '#' || c.is_control())
    {
        return refuse(format!("`{}` cannot be sent as it stands", target.escape_debug()));
    }
    Ok((path, query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_stays_as_it_is_written() {
        for (target, path, query) in [
            ("/me", "/me", ""),
            ("/a%2Fb?x=%FF&y=a+b&flag", "/a%2Fb", "x=%FF&y=a+b&flag"),
            ("/a?x=/../y", "/a", "x=/../y"),
        ] {
            assert_eq!(split(target).unwrap(), (path, query));
        }
        for target in
            ["me", "https://x.test/", "/a/../b", "/a/%2E./b", "/a\\b", "/a#b", "/a?x=1#b", "/a?x\n"]
        {
            assert!(split(target).is_err(), "{target}");
        }
    }
}
