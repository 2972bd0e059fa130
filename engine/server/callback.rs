//! `GET /oauth/callback`: takes sign-ins that any process on this store has begun.

use std::sync::Arc;

use crate::{
    http::{html, reply},
    model::http::Method,
    server::{
        ask::Ask,
        guard::Access,
        route::{Answering, Row},
        tasks::Kind,
    },
};

/// See the module. What proves that a callback belongs here is its `state`.
pub static ROWS: &[Row] = &[Row {
    method: Some(Method::GET),
    path: "/oauth/callback",
    access: Access::Open,
    handle: callback,
}];

/// A code is taken once: what was begun with it is finished, whether the browser waits or not.
fn callback(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        let engine = Arc::clone(ask.engine());
        let query = ask.request.uri.query().unwrap_or_default().to_owned();
        let work = async move { engine.sign_in_page(&query).await };
        let (status, page) = ask.shared.tasks.finish(Kind::SignIn, work).await??;
        Ok(reply(status, html::fields(), page))
    })
}
