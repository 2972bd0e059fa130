//! `/status`: how the engine stands, with the names of what is broken: for keys that see all runs.

use serde::Serialize;

use crate::{
    model::http::Method,
    server::{
        answer,
        ask::Ask,
        guard::Access,
        reload::Configuration,
        route::{Answering, Row},
    },
    view::Status,
};

const LOGS: Access = Access::Whole("environment:logs:read");

/// See the module.
pub static ROWS: &[Row] =
    &[Row { method: Some(Method::GET), path: "/status", access: LOGS, handle: status }];

#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    engine: Status,
    #[serde(flatten)]
    files: Configuration,
}

fn status(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        ask.query(&[])?;
        let (engine, files) = (ask.engine().status().await?, ask.shared.reload.stands());
        Ok(answer::json(200, &Whole { engine, files }))
    })
}
