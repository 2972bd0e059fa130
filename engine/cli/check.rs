//! `engine check`: all problems of all files.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    catalog::Checked,
    cli::{
        context::Cx,
        report::{self, Exit},
        terminal::{GOOD, styled},
    },
    diagnostic::{Severity, render},
    engine::Engine,
};

/// Checks the project's files, or some of them.
pub fn check(cx: &Cx, engine: &Engine, paths: &[PathBuf]) -> Exit {
    let Checked { mut diagnostics, integrations, blueprints, actions } =
        engine.catalog().check(paths);
    diagnostics.sort();
    let sound = !diagnostics.has_errors();
    let text =
        || format!("{}\n{}", render::text(&diagnostics, true), report::counted(&diagnostics));
    if cx.for_programs() {
        cx.print(&json!({
            "errors": diagnostics.count(Severity::Error),
            "warnings": diagnostics.count(Severity::Warning),
            "integrations": integrations,
            "blueprints": blueprints,
            "actions": actions,
            "diagnostics": render::json(&diagnostics),
        }));
        if !sound {
            cx.terminal.err(&text());
        }
    } else {
        if !diagnostics.is_empty() {
            cx.terminal.out(&text());
        }
        if sound {
            let checked = [
                counted(integrations, "integration"),
                counted(blueprints, "blueprint"),
                counted(actions, "action"),
            ];
            let line = format!("{} {}", styled(GOOD, "sound:"), checked.join(", "));
            cx.terminal.out(&format!("{line}\n"));
        }
    }
    if sound { Exit::Done } else { Exit::Refused }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
