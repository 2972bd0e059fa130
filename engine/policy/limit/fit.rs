//! Which requests a limit is for, and what an answer says of it.

use crate::{
    model::{
        http::{Method, Response},
        limit::{Limit, Observe},
        time::Timestamp,
    },
    policy::{
        ietf::{self, Observation},
        wait,
    },
    template::Scope,
    value::glob,
};

/// Whether a limit is for a request. `path` is encoded and relative to `base_url`.
pub fn matches(limit: &Limit, method: &Method, path: &str) -> bool {
    let method = limit.methods.is_empty() || limit.methods.contains(method);
    method && limit.path.as_ref().is_none_or(|pattern| glob::path_fits(pattern, path))
}

/// What an answer tells by the limit's `observe`.
pub fn observe(observe: &Observe, response: &Response, now: Timestamp) -> Observation {
    if observe.ietf {
        return ietf::observe(&response.headers, now);
    }
    // Body locators of `observe` read the whole answer; they are rare.
    let body = if reads_body(observe) {
        serde_json::from_slice(&response.body).unwrap_or_default()
    } else {
        serde_json::Value::Null
    };
    let scope = Scope::new(now).with("body", &body);
    let number = |locator: &Option<_>| {
        let found = wait::number(locator.as_ref()?, &response.headers, &scope)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        Some(found.clamp(0.0, 1e15) as u64)
    };
    let used = || Some(number(&observe.limit)?.saturating_sub(number(&observe.used)?));
    let reset = observe.reset.as_ref().and_then(|locator| {
        wait::span(locator, &response.headers, &scope, now).map(|span| now.plus(span))
    });
    Observation { remaining: number(&observe.remaining).or_else(used), reset }
}

fn reads_body(observe: &Observe) -> bool {
    [&observe.remaining, &observe.limit, &observe.used, &observe.reset]
        .into_iter()
        .flatten()
        .any(|locator| matches!(locator.from, crate::model::rule::Source::Body(_)))
}
