//! Why something was not done.

use std::borrow::Cow;

use serde::Serialize;

use crate::{
    diagnostic::Explain,
    error::Error,
    model::failure::{Code, Failure},
    view::diagnostic::Problems,
};

/// `{"error": {code, message, …}}`: the answer in place of a result.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorBody {
    /// What happened.
    pub error: ErrorDetail,
}

/// An error before a run, or the failure of one.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ErrorDetail {
    /// Nothing was begun.
    Refused {
        /// `call.input-invalid`, `store.wrong-key` …; `docs/errors.md` has an entry for each.
        code: &'static str,
        /// Lower-case start, no full stop.
        message: String,
        /// What the caller can do.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// The problems of the files, if they are the reason.
        #[serde(skip_serializing_if = "Option::is_none")]
        diagnostics: Option<Problems>,
    },
    /// Something was begun, and failed.
    Failed {
        /// As recorded.
        #[serde(flatten)]
        failure: Box<Failure>,
        /// The run, if there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<String>,
        /// See there.
        #[serde(flatten)]
        more: MoreOfRun,
    },
    /// A signal stopped it.
    Stopped {
        /// `cancelled`
        code: Code,
        /// Where to look.
        message: Cow<'static, str>,
    },
}

/// What a door knows of a run that failed, beside its failure.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MoreOfRun {
    /// What repeats it safely: a command, in the words of the door.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_with: Option<String>,
    /// It is the stored result of an earlier call with the same idempotency key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stored: bool,
}

impl ErrorBody {
    /// The failure of the run `id`.
    pub fn of_run(failure: &Failure, id: &str) -> Self {
        let (failure, run) = (Box::new(failure.clone()), Some(id.to_owned()));
        Self { error: ErrorDetail::Failed { failure, run, more: MoreOfRun::default() } }
    }

    /// The same, with what the door knows beside it.
    #[must_use]
    pub fn with(mut self, known: MoreOfRun) -> Self {
        if let ErrorDetail::Failed { more, .. } = &mut self.error {
            *more = known;
        }
        self
    }

    /// Work that a signal stopped.
    pub fn stopped(message: impl Into<Cow<'static, str>>) -> Self {
        Self { error: ErrorDetail::Stopped { code: Code::Cancelled, message: message.into() } }
    }
}

impl From<&Failure> for ErrorBody {
    fn from(failure: &Failure) -> Self {
        let (failure, more) = (Box::new(failure.clone()), MoreOfRun::default());
        Self { error: ErrorDetail::Failed { failure, run: None, more } }
    }
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        Self {
            error: ErrorDetail::Refused {
                code: error.code(),
                message: error.to_string(),
                hint: error.hint(),
                diagnostics: error.diagnostics().cloned().map(Problems),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{diagnostic::Diagnostics, error::CallCode};

    fn shown(body: ErrorBody) -> Value {
        serde_json::to_value(body).unwrap()
    }

    #[test]
    fn members_that_say_nothing_are_left_out() {
        let error = Error::Call {
            code: CallCode::UnknownRun,
            message: "there is no run `y`".to_owned(),
            hint: None,
        };
        assert_eq!(
            shown(ErrorBody::from(&error)),
            json!({"error": {"code": "call.unknown-run", "message": "there is no run `y`"}})
        );
        let failure = Failure::new(Code::NotFound, "gone");
        assert_eq!(
            shown(ErrorBody::of_run(&failure, "run_1")),
            json!({"error": {"code": "not_found", "message": "gone", "run": "run_1"}})
        );
        assert_eq!(
            shown(ErrorBody::stopped("stopped")),
            json!({"error": {"code": "cancelled", "message": "stopped"}})
        );
    }

    #[test]
    fn problems_of_files_come_with_their_places() {
        let mut found = Diagnostics::default();
        found.error("file.nothing", "nothing");
        let error = Error::Catalog(crate::catalog::Error::Invalid(found));
        let shown = shown(ErrorBody::from(&error));
        assert_eq!(shown["error"]["diagnostics"][0]["code"], "file.nothing");
        assert_eq!(shown["error"]["diagnostics"][0]["line"], Value::Null);
    }
}
