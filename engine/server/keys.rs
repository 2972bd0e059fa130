//! `/keys` and `/audit`: who may use the server, and who did what.

use serde::{Deserialize, Serialize};

use crate::{
    engine::NewApiKey,
    model::{
        api_key::{KeyRate, Narrowing},
        http::Method,
        time::parse_span,
    },
    policy::permission,
    server::{
        answer,
        ask::{self, Ask},
        guard::Access,
        problem::Problem,
        route::{Answering, Row},
    },
    view,
};

const CREATE: Access = Access::Whole("account:environments:api_keys:create");
const DELETE: Access = Access::Whole("account:environments:api_keys:delete");
const LOGS: Access = Access::Whole("environment:logs:read");

/// See the module.
pub static ROWS: &[Row] = &[
    Row { method: Some(Method::GET), path: "/keys", access: CREATE, handle: list },
    Row { method: Some(Method::POST), path: "/keys", access: CREATE, handle: create },
    Row { method: Some(Method::DELETE), path: "/keys/{id}", access: DELETE, handle: revoke },
    Row { method: Some(Method::GET), path: "/audit", access: LOGS, handle: audit },
];

#[derive(Serialize)]
struct Keys {
    keys: Vec<view::ApiKey>,
}

#[derive(Serialize)]
struct Entries {
    audit: Vec<view::AuditEntry>,
}

/// A key to be made, in the names in which it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct New {
    name: Option<String>,
    scopes: Vec<String>,
    integrations: Vec<String>,
    actions: Vec<String>,
    read_only: bool,
    end_user: Option<String>,
    expires: Option<String>,
    rate: Option<String>,
    concurrency: Option<u32>,
}

fn list(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        ask.query(&[])?;
        Ok(answer::json(200, &Keys { keys: ask.engine().api_keys().await? }))
    })
}

fn create(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        ask.query(&[])?;
        let (engine, caller) = (ask.engine(), ask.caller()?);
        let by = caller.actor(&ask.request);
        let new = checked(ask::json::<Option<New>>(ask.request).await?.unwrap_or_default())?;
        // Nobody gives what they do not have.
        let mut wanted = new.scopes.iter().map(String::as_str).chain(everything(&new));
        if let Some(scope) = wanted.find(|scope| !permission::has(&caller.key.scopes, scope)) {
            return Err(Problem::forbidden(format!("the key lacks the scope `{scope}` itself")));
        }
        if caller.key.narrowing.read_only && !new.narrowing.read_only {
            return Err(Problem::forbidden("a key that only reads makes none that writes"));
        }
        Ok(answer::json(201, &engine.create_api_key(new, &by).await?))
    })
}

/// What a key without scopes may do.
fn everything(new: &NewApiKey) -> Option<&'static str> {
    new.scopes.is_empty().then_some("*")
}

fn revoke(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        ask.query(&[])?;
        let by = ask.caller()?.actor(&ask.request);
        Ok(answer::json(200, &ask.engine().revoke_api_key(ask.param("id"), &by).await?))
    })
}

fn audit(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        let query = ask.query(&["before", "limit"])?;
        let before = query.number("before", 0, u32::MAX)?.map(i64::from);
        let limit = query.number("limit", 1, 1000)?.unwrap_or(100);
        Ok(answer::json(200, &Entries { audit: ask.engine().audit(before, limit).await? }))
    })
}

fn checked(new: New) -> Result<NewApiKey, Problem> {
    let bad = |name: &str, example: &str| {
        let message = format!("`{name}` cannot be understood; write it as `{example}`");
        Problem::new(400, "invalid_body", message)
    };
    let span = |text: &str| parse_span(text).filter(|span| !span.is_zero());
    let expires = new.expires.as_deref().map(|text| span(text).ok_or(text));
    let rate = new.rate.as_deref().map(|text| KeyRate::parse(text).ok_or(text));
    if new.concurrency == Some(0) {
        return Err(bad("concurrency", "20"));
    }
    Ok(NewApiKey {
        name: new.name,
        scopes: new.scopes,
        narrowing: Narrowing {
            integrations: new.integrations,
            actions: new.actions,
            read_only: new.read_only,
            end_user: new.end_user,
        },
        rate: rate.transpose().map_err(|_| bad("rate", "600/1m"))?,
        concurrency: new.concurrency,
        expires: expires.transpose().map_err(|_| bad("expires", "90d"))?,
    })
}
