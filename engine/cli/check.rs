//! `engine check`: all problems of all files.

use std::path::PathBuf;

use crate::{
    cli::{
        console::Console,
        report::{self, Exit, counted},
        terminal::{GOOD, styled},
    },
    diagnostic::render,
    engine::Engine,
};

/// Checks the project's files, or some of them.
pub fn check(console: &Console, engine: &Engine, paths: &[PathBuf]) -> Exit {
    let check = engine.check(paths);
    let found = &check.diagnostics.0;
    let text = || format!("{}\n{}", render::text(found, true), report::problems(found));
    if console.for_programs() {
        console.show(&check);
        if !check.is_sound() {
            console.terminal.err(&text());
        }
    } else {
        if !found.is_empty() {
            console.terminal.out(&text());
        }
        if check.is_sound() {
            let checked = [
                counted(check.integrations, "integration"),
                counted(check.blueprints, "blueprint"),
                counted(check.actions, "action"),
            ];
            let line = format!("{} {}", styled(GOOD, "sound:"), checked.join(", "));
            console.terminal.out(&format!("{line}\n"));
        }
    }
    if check.is_sound() { Exit::Done } else { Exit::Refused }
}
