//! Errors, failures and problems of files, for people; and how commands end.

use std::{fmt::Display, process::ExitCode};

use anstyle::Style;

use crate::{
    cli::terminal::{ERROR, FAINT, HINT, WARNING, clean, styled},
    diagnostic::{Diagnostics, Explain, Severity, render},
    engine::RunResult,
    error::Error,
    model::{
        failure::{Failure, Write},
        record::RunRecord,
    },
};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The action failed.
    Failed,
    /// The call or the files are wrong.
    Refused,
    /// The engine itself cannot work: store, key, network.
    Broken,
    /// The result is not whole, and that was to be an error.
    Incomplete,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// SIGQUIT: Ctrl-\.
    Quit,
    /// SIGHUP: the terminal was closed.
    HungUp,
}

impl Exit {
    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Refused => 2,
            Self::Broken => 3,
            Self::Incomplete => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::Quit => 131,
            Self::HungUp => 129,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// How a command ends that could not do its work.
pub fn exit(error: &Error) -> Exit {
    match error {
        Error::Catalog(_)
        | Error::InvalidInput { .. }
        | Error::InvalidCredentials(_)
        | Error::InvalidConnection(_)
        | Error::NoSandbox { .. }
        | Error::UnknownConnection { .. }
        | Error::NoConnection { .. }
        | Error::WhichConnection { .. }
        | Error::Call { .. } => Exit::Refused,
        // A call that would have been recorded as failed, had it begun.
        Error::Refused(_) => Exit::Failed,
        Error::Store(_) | Error::Wire(_) | Error::TokensLost(_) | Error::Io { .. } => Exit::Broken,
    }
}

/// An error for people: a line with its code, or the problems of the files; then the hint.
pub fn error(error: &Error) -> String {
    if let Some(found) = error.diagnostics() {
        return format!("{}\n{}", render::text(found, true), problems(found));
    }
    let code = error.code();
    lines(&format!("error[{code}]"), ERROR, &error.to_string(), error.hint().as_deref())
}

/// The failure of a run for people; `repeat_with` is the command that repeats it safely.
pub fn failure(failure: &Failure, record: &RunRecord, repeat_with: Option<&str>) -> String {
    let Failure { code, message, hint, status, step, retry_at, maybe_executed, .. } = failure;
    let mut out = lines(&format!("failed[{code}]"), ERROR, message, hint.as_deref());
    let mut more = Vec::new();
    more.extend(step.as_ref().map(|step| format!("step `{step}`")));
    more.extend(status.map(|status| format!("status {status}")));
    more.extend(retry_at.map(|time| format!("try again at {time}")));
    if *maybe_executed {
        more.push("it may have taken effect".to_owned());
    }
    more.extend(executed(failure.executed, &failure.writes));
    more.push(format!("`engine logs {}` shows more", record.id));
    out.push_str(&styled(FAINT, &clean(&more.join(" · "))));
    out.push('\n');
    if let Some(command) = repeat_with {
        out.push_str(&format!("{}: {}\n", styled(HINT, "repeat it safely with"), clean(command)));
    }
    out
}

/// Why the result of a run is not whole, if it is not: what was cut, and how many
/// elements failed.
pub fn incomplete(result: &RunResult) -> Option<String> {
    let cuts = result.warnings.iter().filter(|warning| warning.is_cut());
    let mut said: Vec<String> = cuts.map(ToString::to_string).collect();
    if result.failed > 0 {
        said.push(format!("{} failed", counted(result.failed, "element")));
    }
    if said.is_empty() {
        return None;
    }
    if result.maybe_executed {
        said.push("a write may have taken effect although it failed".to_owned());
    }
    said.extend(executed(result.executed, &result.writes));
    said.push(format!("`engine logs {}` shows more", result.record.id));
    Some(format!("the result is not whole: {}", said.join(" · ")))
}

/// What a run has written: `3 writes were executed: `make` POST 201, …`.
fn executed(all: u64, writes: &[Write]) -> Option<String> {
    const NAMED: usize = 3;
    let count = usize::try_from(all).ok().filter(|count| *count > 0)?;
    let name = |write: &Write| {
        let Write { step, item, method, status, .. } = write;
        let item = item.map(|item| format!("[{item}]")).unwrap_or_default();
        format!("`{step}{item}` {method} {status}")
    };
    let mut named: Vec<String> = writes.iter().take(NAMED).map(name).collect();
    if count > named.len() {
        named.push(format!("{} more", count - named.len()));
    }
    let verb = if count == 1 { "was" } else { "were" };
    Some(format!("{} {verb} executed: {}", counted(count, "write"), named.join(", ")))
}

/// A failure that belongs to no run.
pub fn plain_failure(failure: &Failure) -> String {
    let head = format!("failed[{}]", failure.code);
    lines(&head, ERROR, &failure.message, failure.hint.as_deref())
}

/// A warning.
pub fn warning(message: &str) -> String {
    lines("warning", WARNING, message, None)
}

/// How many problems there are: `2 errors, 1 warning`.
pub fn problems(found: &Diagnostics) -> String {
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(|severity| (found.count(severity), severity));
    let words = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> =
        words.map(|(count, severity)| counted(count, severity.name())).collect();
    if words.is_empty() { String::new() } else { format!("{}\n", words.join(", ")) }
}

/// `1 action`, `2 actions`
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn lines(label: &str, style: Style, message: &str, hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!("{}: {}\n", styled(HINT, "hint"), clean(hint)));
    let hint = hint.unwrap_or_default();
    format!("{}: {}\n{hint}", styled(style, label), clean(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::CallCode,
        model::{failure::Code, record::RunStatus, time::Timestamp},
        store,
    };

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn call(hint: Option<&str>) -> Error {
        Error::Call {
            code: CallCode::UnknownRun,
            message: "there is no run `y`".into(),
            hint: hint.map(str::to_owned),
        }
    }

    fn record() -> RunRecord {
        RunRecord {
            id: "run_1".parse().unwrap(),
            integration: "x".parse().unwrap(),
            action: "y".parse().unwrap(),
            connection: "default".parse().unwrap(),
            sandbox: false,
            status: RunStatus::Failed,
            failure: None,
            started_at: Timestamp(0),
            finished_at: None,
            attempts: 0,
            waited_ms: 0,
        }
    }

    #[test]
    fn each_kind_of_error_has_its_exit_code() {
        let path = "db".to_owned();
        for (error, number) in [
            (call(None), 2),
            (Error::NoConnection { integration: "x".parse().unwrap(), sandbox: true }, 2),
            (Error::Refused(Failure::new(Code::Unauthorized, "gone")), 1),
            (Error::Store(store::Error::WrongKey { path }), 3),
            (Error::Io { what: "x".into(), source: std::io::ErrorKind::NotFound.into() }, 3),
        ] {
            assert_eq!(exit(&error).number(), number, "{error}");
        }
        assert_eq!(Exit::Interrupted.number(), 130);
        assert_eq!(Exit::Terminated.number(), 143);
    }

    #[test]
    fn an_error_says_its_code_and_what_to_do() {
        assert_eq!(
            plain(&error(&call(Some("did you mean `z`?")))),
            "error[call.unknown-run]: there is no run `y`\nhint: did you mean `z`?\n"
        );
    }

    #[test]
    fn a_failure_says_what_is_known() {
        let mut found = Failure::new(Code::ProviderError, "bad\u{1b}[2J gateway");
        found.status = Some(502);
        found.step = Some("post".into());
        found.maybe_executed = true;
        assert_eq!(
            plain(&failure(&found, &record(), None)),
            "failed[provider_error]: bad\\u{1b}[2J gateway\n\
             step `post` · status 502 · it may have taken effect · `engine logs run_1` shows more\n"
        );
        found.maybe_executed = false;
        found.executed = 5;
        let write =
            |item| Write { step: "post".into(), item, page: 1, method: "POST".into(), status: 201 };
        found.writes = (0..5).map(|item| write(Some(item))).collect();
        let text = plain(&failure(&found, &record(), Some("engine run x y")));
        assert!(text.ends_with("\nrepeat it safely with: engine run x y\n"), "{text}");
        assert!(text.contains(
            "5 writes were executed: `post[0]` POST 201, `post[1]` POST 201, `post[2]` POST 201, \
             2 more"
        ));
    }

    #[test]
    fn problems_are_counted() {
        let mut found = Diagnostics::default();
        assert_eq!(problems(&found), "");
        found.error("file.x", "one");
        found.error("file.x", "two");
        found.note("file.y", "three");
        assert_eq!(problems(&found), "2 errors, 1 note\n");
    }
}
