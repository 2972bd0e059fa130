//! The command that repeats a run safely.

use std::{borrow::Cow, ffi::OsString};

use crate::{
    cli::args,
    engine::{Repeat, RequestKey, RunResult},
    model::http::HeaderName,
    render::shell,
};

/// What a command says already of what makes it repeatable.
#[derive(Debug)]
pub struct Given {
    /// The connection.
    connection: bool,
    /// An idempotency key.
    key: bool,
    /// Fields of the request, `name: value`.
    headers: Vec<String>,
    /// Whether it reads standard input.
    piped: bool,
}

impl Given {
    /// By `engine run`.
    pub fn of_run(args: &args::Run) -> Self {
        let piped = |word: &String| word == "-" || word == "@-" || word.ends_with("=@-");
        Self {
            connection: args.target.connection.is_some(),
            key: args.idempotency_key.is_some(),
            headers: Vec::new(),
            piped: args.input.iter().chain(&args.whole).any(piped),
        }
    }

    /// By `engine request`.
    pub fn of_request(args: &args::Request) -> Self {
        let piped = |word: &String| word == "-" || word == "@-" || word.ends_with("=@-");
        Self {
            connection: args.target.connection.is_some(),
            key: false,
            headers: args.headers.clone(),
            piped: args.input.iter().chain(&args.body).any(piped),
        }
    }

    /// Whether a field is among those of the request.
    fn has(&self, header: &HeaderName) -> bool {
        let name = |field: &String| field.split(':').next().unwrap_or_default().trim().to_owned();
        self.headers.iter().any(|field| name(field).eq_ignore_ascii_case(header.as_str()))
    }
}

/// The command with which the API takes the writes of a failed run for the same again; `None` where
/// nothing was done, or where the API cannot know.
pub fn command(given: &Given, finished: &RunResult) -> Option<String> {
    if finished.repeat != Repeat::WithKey {
        return None;
    }
    let mut more = Vec::new();
    if !given.connection && !finished.record.sandbox {
        more.push(format!("--connection={}", finished.record.connection));
    }
    match &finished.request_key {
        Some(RequestKey { header, key }) if !given.has(header) => {
            more.push(format!("--header={header}: {key}"));
        }
        None if !given.key => more.push(format!("--idempotency-key={}", finished.record.id)),
        Some(_) | None => {}
    }
    Some(spelled(std::env::args_os().skip(1), &more, given.piped))
}

/// The words of a command and further options, as a shell reads them.
fn spelled(words: impl Iterator<Item = OsString>, more: &[String], piped: bool) -> String {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let options = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (before, after) = words.split_at(options);
    let words = before.iter().chain(more).chain(after).map(|word| shell::word(word));
    let words: Vec<Cow<'_, str>> = std::iter::once("engine".into()).chain(words).collect();
    let input = if piped { " < the-same-input" } else { "" };
    words.join(" ") + input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_as_it_stands() {
        let more = ["--idempotency-key=run_1".to_owned()];
        for (given, piped, expected) in [
            (
                &["run", "a", "b", "x=it's"][..],
                false,
                r"engine run a b 'x=it'\''s' --idempotency-key=run_1",
            ),
            (
                &["run", "a", "b", "--", "x=-"],
                true,
                "engine run a b --idempotency-key=run_1 -- x=- < the-same-input",
            ),
        ] {
            let words = given.iter().map(OsString::from);
            assert_eq!(spelled(words, &more, piped), expected);
        }
    }
}
