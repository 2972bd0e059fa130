//! Expressions in words, for messages.

use crate::model::template::{Expr, Part, Path, Template};

/// Whether an expression reads `input`.
pub fn reads_input(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => path.root == "input",
        Expr::Literal(_) => false,
        Expr::Call(call) => {
            call.args.iter().chain(call.named.iter().map(|(_, arg)| arg)).any(reads_input)
        }
    }
}

/// Whether a template comes to the same whenever the same call is made again, as far as answers are
/// the same: it reads neither the run nor the time.
pub fn is_constant(t: &Template) -> bool {
    fn constant(expr: &Expr) -> bool {
        match expr {
            Expr::Path(path) => path.root != "run",
            Expr::Literal(_) => true,
            Expr::Call(call) => {
                let named = call.named.iter().map(|(_, arg)| arg);
                call.helper != "now" && call.args.iter().chain(named).all(constant)
            }
        }
    }
    t.parts.iter().all(|part| match part {
        Part::Text(_) => true,
        Part::Expr(expr) => constant(expr),
    })
}

/// A path as it is written.
pub fn spelled(path: &Path) -> String {
    let plain = |name: &str| name.chars().all(|c| c.is_alphanumeric() || "_-$:".contains(c));
    path.segments.iter().fold(path.root.clone(), |text, segment| {
        if plain(segment) { text + "." + segment } else { text + ".[" + segment + "]" }
    })
}

/// The source in a message: on one line, not too long.
pub fn shown(source: &str) -> String {
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Whether a template reads `input`.
pub fn template_reads_input(t: &Template) -> bool {
    t.parts.iter().any(|part| match part {
        Part::Text(_) => false,
        Part::Expr(expr) => reads_input(expr),
    })
}
