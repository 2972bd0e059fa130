//! Whether the server lives, and whether it can work: for those who start and watch it.

use serde::Serialize;

use crate::{
    model::http::Method,
    server::{
        answer,
        ask::Ask,
        guard::Access,
        problem::Problem,
        route::{Answering, Row},
    },
};

/// See the module.
pub static ROWS: &[Row] = &[
    Row { method: Some(Method::GET), path: "/health", access: Access::Open, handle: health },
    Row { method: Some(Method::GET), path: "/ready", access: Access::Open, handle: ready },
];

#[derive(Serialize)]
struct Ready {
    result: &'static str,
    config: &'static str,
}

#[derive(Serialize)]
struct Alive {
    result: &'static str,
}

/// The process lives. Needs no key, and so tells nothing else.
fn health(_: Ask<'_>) -> Answering<'_> {
    Box::pin(async { Ok(answer::json(200, &Alive { result: "ok" })) })
}

/// The store can be written: without it no run could be recorded and no token kept.
fn ready(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        match ask.engine().ready().await {
            Ok(()) => {
                // Files that are broken are no reason to take the server away: it works.
                let config = ask.shared.reload.stands().config;
                Ok(answer::json(200, &Ready { result: "ok", config }))
            }
            Err(error) => {
                // What is wrong with it is for those who have its log.
                tracing::error!(%error, "the store cannot be written");
                let message = "the store cannot be written";
                Err(Problem::new(503, "store_unwritable", message))
            }
        }
    })
}
