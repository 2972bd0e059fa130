//! The load-time check: does a template only read what can be there?

use crate::{
    diagnostic,
    model::template::{Call, Expr, Part, Path, Template},
    template::{
        knowledge::{Knowledge, Presence, Symbols},
        scope::Error,
        values::spelled,
    },
};

/// Where the value of a template goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Anywhere a JSON value is wanted.
    Value,
    /// A header or a text body.
    Text,
    /// The path of a request.
    Path,
    /// `if`, `where`, `when`, `more`.
    Condition,
    /// `base_url` and other URLs of a blueprint.
    BaseUrl,
}

/// What is wrong with a template at its place; offsets are within `t.source`.
pub fn template(t: &Template, symbols: &Symbols, place: Use) -> Vec<Error> {
    let mut errors = Vec::new();
    for part in &t.parts {
        if let Part::Expr(expr) = part {
            let mut check = Check { symbols, errors: &mut errors, place };
            check.expr(expr, symbols.lenient);
        }
    }
    if place == Use::Condition && errors.is_empty() && !can_be_boolean(t, symbols) {
        errors.push(Error {
            message: "a condition must be true or false".to_owned(),
            offset: 0,
            len: t.source.len().max(1),
            hint: Some(
                "compare with `eq`, `exists`, `gt` …; nothing counts as true by itself".to_owned(),
            ),
        });
    }
    errors
}

/// Text and helpers that yield other things can never be a condition.
fn can_be_boolean(t: &Template, symbols: &Symbols) -> bool {
    match t.lone() {
        None => false,
        Some(Expr::Literal(value)) => value.is_boolean(),
        Some(Expr::Path(path)) => {
            !matches!(walk(path, symbols), Ok((Knowledge::Record { .. } | Knowledge::List(_), _)))
        }
        Some(Expr::Call(call)) => matches!(
            call.helper,
            "eq" | "ne"
                | "lt"
                | "lte"
                | "gt"
                | "gte"
                | "and"
                | "or"
                | "not"
                | "exists"
                | "starts_with"
                | "opt"
                | "default"
                | "first"
                | "if"
                | "get"
                | "find"
                | "parse_json"
        ),
    }
}

struct Check<'c> {
    symbols: &'c Symbols,
    errors: &'c mut Vec<Error>,
    place: Use,
}

impl Check<'_> {
    fn expr(&mut self, expr: &Expr, lenient: bool) {
        match expr {
            Expr::Literal(_) => {}
            Expr::Path(path) => self.path(path, lenient),
            Expr::Call(call) => {
                let tolerant = matches!(call.helper, "opt" | "default" | "first" | "exists");
                call.args.iter().for_each(|arg| self.expr(arg, lenient || tolerant));
                call.named.iter().for_each(|(_, arg)| self.expr(arg, lenient));
            }
        }
    }

    fn path(&mut self, path: &Path, lenient: bool) {
        let (message, hint) = match walk(path, self.symbols) {
            Err(Unknown { known, at }) => {
                let shown = Path {
                    segments: path.segments.iter().take(at).cloned().collect(),
                    ..path.clone()
                };
                let name = if at == 0 {
                    &path.root
                } else {
                    path.segments.get(at - 1).unwrap_or(&path.root)
                };
                let names = known.iter().map(String::as_str);
                let hint = diagnostic::nearest(name, names.clone()).map(|near| {
                    let mut segments: Vec<String> =
                        path.segments.iter().take(at.saturating_sub(1)).cloned().collect();
                    if at == 0 {
                        return format!("did you mean `{near}`?");
                    }
                    segments.push(near.to_owned());
                    format!("did you mean `{}`?", spelled(&Path { segments, ..path.clone() }))
                });
                let hint = hint.or_else(|| diagnostic::suggest(name, names));
                (format!("there is no `{}` here", spelled(&shown)), hint)
            }
            Ok((_, Presence::Always)) => return,
            Ok((_, Presence::Maybe)) if path.root == "input" => {
                if self.place != Use::Path || lenient {
                    return;
                }
                let message = format!("`{}` may be absent, and a path needs it", spelled(path));
                (
                    message,
                    Some(
                        "require it in the input schema, give it a default, or write `default`"
                            .to_owned(),
                    ),
                )
            }
            Ok((_, Presence::Maybe)) if lenient => return,
            Ok((_, Presence::Maybe)) => {
                let message = format!("`{}` may be absent", spelled(path));
                (
                    message,
                    Some(format!(
                        "write `opt {}`, or `first` with what stands in for it",
                        spelled(path)
                    )),
                )
            }
        };
        let len = spelled(path).len();
        self.errors.push(Error { message, offset: path.offset, len, hint });
    }
}

/// A name that is not there, and those that are; `at` segments into the path.
struct Unknown {
    known: Vec<String>,
    at: usize,
}

/// What is known of a path's value, and whether it must be there.
fn walk<'k>(path: &Path, symbols: &'k Symbols) -> Result<(&'k Knowledge, Presence), Unknown> {
    let Some((mut knowledge, mut presence)) = symbols.get(&path.root) else {
        return Err(Unknown { known: symbols.names().map(str::to_owned).collect(), at: 0 });
    };
    for (index, segment) in path.segments.iter().enumerate() {
        knowledge = match knowledge {
            Knowledge::Open | Knowledge::Leaf => return Ok((&Knowledge::Open, presence)),
            Knowledge::List(element) => {
                presence = Presence::Maybe;
                if segment.parse::<usize>().is_err() {
                    return Err(Unknown { known: vec!["0".to_owned()], at: index + 1 });
                }
                element
            }
            Knowledge::Record { members, open } => {
                match members.iter().find(|m| m.name == *segment) {
                    Some(member) => {
                        if member.presence == Presence::Maybe {
                            presence = Presence::Maybe;
                        }
                        &member.knowledge
                    }
                    None if *open => return Ok((&Knowledge::Open, presence)),
                    None => {
                        let known = members.iter().map(|member| member.name.clone()).collect();
                        return Err(Unknown { known, at: index + 1 });
                    }
                }
            }
        };
    }
    Ok((knowledge, presence))
}

/// What is known of the template's value.
pub fn result(t: &Template, symbols: &Symbols) -> Knowledge {
    match t.lone() {
        Some(expr) => expr_result(expr, symbols),
        None => Knowledge::Leaf,
    }
}

fn expr_result(expr: &Expr, symbols: &Symbols) -> Knowledge {
    match expr {
        Expr::Literal(_) => Knowledge::Leaf,
        Expr::Path(path) => walk(path, symbols).map_or(Knowledge::Open, |(found, _)| found.clone()),
        Expr::Call(call) => call_result(call, symbols),
    }
}

/// Helpers that hand on what they are given keep what is known of it.
fn call_result(call: &Call, symbols: &Symbols) -> Knowledge {
    match (call.helper, call.args.first()) {
        ("opt" | "unique" | "sort", Some(arg)) => expr_result(arg, symbols),
        ("split", _) => Knowledge::List(Box::new(Knowledge::Leaf)),
        ("flatten" | "pluck", _) => Knowledge::List(Box::new(Knowledge::Open)),
        _ => Knowledge::Open,
    }
}
