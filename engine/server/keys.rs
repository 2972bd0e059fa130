//! `/keys` and `/audit`: who may use the server, and who did what.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    engine::NewApiKey,
    model::{
        api_key::{ApiKey, KeyRate, Narrowing},
        http::Method,
        time::{Timestamp, parse_span},
    },
    policy::permission,
    server::{
        answer,
        ask::{self, Ask},
        guard::Access,
        problem::Problem,
        route::{Answering, Row},
        tasks::Kind,
    },
    view,
};

const LIST: Access = Access::Whole("account:environments:api_keys:create");
const CREATE: Access = Access::WholeChange("account:environments:api_keys:create");
const DELETE: Access = Access::WholeChange("account:environments:api_keys:delete");
const LOGS: Access = Access::Whole("environment:logs:read");

/// See the module.
pub static ROWS: &[Row] = &[
    Row { method: Some(Method::GET), path: "/keys", access: LIST, handle: list },
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
        let new = within(new, &caller.key, engine.clock().now());
        Ok(answer::json(201, &engine.create_api_key(new, &by).await?))
    })
}

/// A new key that is good no longer, and no faster, than the one that makes it.
fn within(new: NewApiKey, maker: &ApiKey, now: Timestamp) -> NewApiKey {
    let left = maker.expires_at.map(|end| end.since(now));
    let slower = |rate: &KeyRate| maker.rate.is_none_or(|most| rate.is_within(&most));
    NewApiKey {
        expires: new.expires.into_iter().chain(left).min(),
        rate: new.rate.filter(slower).or(maker.rate),
        concurrency: new.concurrency.into_iter().chain(maker.concurrency).min(),
        ..new
    }
}

/// What a key without scopes may do.
fn everything(new: &NewApiKey) -> Option<&'static str> {
    new.scopes.is_empty().then_some("*")
}

fn revoke(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        ask.query(&[])?;
        let by = ask.caller()?.actor(&ask.request);
        let (engine, id) = (Arc::clone(ask.engine()), ask.param("id").to_owned());
        // What was done is written down, whether its client waits or not.
        let work = async move { engine.revoke_api_key(&id, &by).await };
        Ok(answer::json(200, &ask.shared.tasks.finish(Kind::Run, work).await??))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_makes_none_that_has_more() {
        let rate = |text| KeyRate::parse(text).unwrap();
        let maker = ApiKey {
            id: "key_1".to_owned(),
            hash: String::new(),
            name: None,
            scopes: vec!["*".to_owned()],
            narrowing: Narrowing::default(),
            rate: Some(rate("10/1m")),
            concurrency: Some(2),
            created_at: Timestamp(0),
            expires_at: Some(Timestamp(61_000)),
            revoked_at: None,
            last_used_at: None,
        };
        let made = |new| {
            let made = within(new, &maker, Timestamp(1_000));
            (made.rate, made.concurrency, made.expires)
        };
        let most = (Some(rate("10/1m")), Some(2), Some(Duration::from_mins(1)));
        assert_eq!(made(NewApiKey::default()), most);
        let more = NewApiKey {
            rate: Some(rate("10/30s")),
            concurrency: Some(3),
            expires: Some(Duration::from_hours(1)),
            ..NewApiKey::default()
        };
        assert_eq!(made(more), most);
        let less = NewApiKey {
            rate: Some(rate("5/1m")),
            concurrency: Some(1),
            expires: Some(Duration::from_secs(5)),
            ..NewApiKey::default()
        };
        assert_eq!(made(less), (Some(rate("5/1m")), Some(1), Some(Duration::from_secs(5))));
        let free = ApiKey { rate: None, concurrency: None, expires_at: None, ..maker.clone() };
        let all = within(NewApiKey::default(), &free, Timestamp(0));
        assert_eq!((all.rate, all.concurrency, all.expires), (None, None, None));
    }
}
