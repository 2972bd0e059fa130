//! `engine check`: all problems of all files.

use std::path::PathBuf;

use crate::{
    cli::{
        context::Cx,
        report::{self, Exit, counted},
        terminal::{GOOD, styled},
    },
    diagnostic::render,
    engine::Engine,
};

/// Checks the project's files, or some of them.
pub fn check(cx: &Cx, engine: &Engine, paths: &[PathBuf]) -> Exit {
    let check = engine.check(paths);
    let found = &check.diagnostics.0;
    let text = || format!("{}\n{}", render::text(found, true), report::problems(found));
    if cx.for_programs() {
        cx.show(&check);
        if !check.is_sound() {
            cx.terminal.err(&text());
        }
    } else {
        if !found.is_empty() {
            cx.terminal.out(&text());
        }
        if check.is_sound() {
            let checked = [
                counted(check.integrations, "integration"),
                counted(check.blueprints, "blueprint"),
                counted(check.actions, "action"),
            ];
            let line = format!("{} {}", styled(GOOD, "sound:"), checked.join(", "));
            cx.terminal.out(&format!("{line}\n"));
        }
    }
    if check.is_sound() { Exit::Done } else { Exit::Refused }
}
