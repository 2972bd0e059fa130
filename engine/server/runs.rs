//! `/runs`: what was done.

use serde::Serialize;

use crate::{
    diagnostic::suggest,
    engine::RunFilter,
    model::{http::Method, record::RunStatus},
    server::{
        answer,
        ask::Ask,
        guard::Access,
        problem::Problem,
        route::{Answering, Row},
    },
    view::{Attempts, Run},
};

const READ: Access = Access::Scope("environment:logs:read");

/// See the module.
pub static ROWS: &[Row] = &[
    Row { method: Some(Method::GET), path: "/runs", access: READ, handle: list },
    Row { method: Some(Method::GET), path: "/runs/{id}", access: READ, handle: one },
    Row { method: Some(Method::GET), path: "/runs/{id}/attempts", access: READ, handle: attempts },
];

#[derive(Serialize)]
struct Runs {
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct OfRun {
    attempts: Attempts,
}

fn list(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        let query = ask.query(&["integration", "action", "connection", "status", "limit"])?;
        let text = |name: &str| query.get(name).map(str::to_owned);
        let status = query.get("status").map(|text| {
            RunStatus::parse(text).ok_or_else(|| {
                let message = format!("`{}` is not a status of a run", text.escape_debug());
                let problem = Problem::new(400, "invalid_query_params", message);
                problem.with_hint(
                    suggest(text, RunStatus::ALL.map(RunStatus::as_str)).unwrap_or_default(),
                )
            })
        });
        let filter = RunFilter {
            integration: text("integration"),
            action: text("action"),
            connection: text("connection"),
            status: status.transpose()?,
            limit: query.number("limit", 1, 1000)?.unwrap_or(100),
        };
        let runs = ask.engine().visible_runs(ask.caller()?.narrowing(), filter).await?;
        Ok(answer::json(200, &Runs { runs }))
    })
}

fn one(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move { Ok(answer::json(200, &found(&ask).await?)) })
}

fn attempts(ask: Ask<'_>) -> Answering<'_> {
    Box::pin(async move {
        let attempts = found(&ask).await?.attempts;
        Ok(answer::json(200, &OfRun { attempts }))
    })
}

async fn found(ask: &Ask<'_>) -> Result<Run, Problem> {
    ask.query(&[])?;
    let caller = ask.caller()?;
    Ok(ask.engine().visible_run(caller.narrowing(), ask.param("id")).await?)
}
