//! Whether the server lives, and whether it can work: for those who start and watch it.

use serde::Serialize;

use crate::{
    model::http::Method,
    server::{
        answer,
        ask::Ask,
        problem::Problem,
        route::{Answering, Row},
    },
};

/// See the module.
pub static ROWS: &[Row] = &[
    Row { method: Method::GET, path: "/health", handle: health },
    Row { method: Method::GET, path: "/ready", handle: ready },
];

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
        match ask.engine.ready().await {
            Ok(()) => Ok(answer::json(200, &Alive { result: "ok" })),
            Err(error) => {
                // What is wrong with it is for those who have its log.
                tracing::error!(%error, "the store cannot be written");
                let message = "the store cannot be written";
                Err(Problem::new(503, "store_unwritable", message))
            }
        }
    })
}
