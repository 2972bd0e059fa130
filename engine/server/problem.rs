//! Why a request is not answered with what it asks for: a status, and the one envelope of errors.

use std::time::Duration;

use http::header::{ALLOW, RETRY_AFTER};

use crate::{
    diagnostic::Explain,
    error::Error,
    http::Reply,
    model::{
        failure::{Code, Failure},
        http::{HeaderMap, HeaderName, HeaderValue},
    },
    server::answer,
    view::{ErrorBody, ErrorDetail},
};

/// An answer that is an error.
#[derive(Debug)]
pub struct Problem {
    status: u16,
    headers: HeaderMap,
    body: ErrorBody,
}

impl Problem {
    /// One of the server's own; `docs/errors.md` has an entry for each code.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = ErrorDetail::Refused { code, message, hint: None, diagnostics: None };
        Self { status, headers: HeaderMap::new(), body: ErrorBody { error: detail } }
    }

    /// There is nothing here. Says nothing about what there may be for others.
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "there is nothing at this path")
    }

    /// Another method is wanted.
    pub fn method_not_allowed(allowed: &str) -> Self {
        let message = format!("this path takes {allowed}");
        Self::new(405, "method_not_allowed", message).with(ALLOW, allowed)
    }

    /// The key may not do it.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "forbidden", message)
    }

    /// An integration of which the key does not know, as if it were not there.
    pub fn unknown_integration(name: &str) -> Self {
        let message = format!("there is no integration `{name}`");
        Self::new(404, "call.unknown-integration", message)
    }

    /// The failure of the run `id`.
    pub fn of_run(failure: &Failure, id: &str) -> Self {
        let body = ErrorBody::of_run(failure, id);
        Self { status: failed(failure.code), headers: HeaderMap::new(), body }
    }

    /// Too much at once, or too fast; when to come again.
    pub fn too_many(status: u16, message: &str, wait: Duration) -> Self {
        // Not a moment too early.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        Self::new(status, "too_many_request", message).with(RETRY_AFTER, &seconds.to_string())
    }

    /// With a hint.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let ErrorDetail::Refused { hint, .. } = &mut self.body.error {
            *hint = Some(text.into());
        }
        self
    }

    /// With a field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// As it is sent.
    pub fn reply(self) -> Reply {
        let mut reply = answer::json(self.status, &self.body);
        reply.headers_mut().extend(self.headers);
        reply
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = if let Error::Refused(failure) = &error {
            failed(failure.code)
        } else {
            refused(error.code())
        };
        if status >= 500 {
            tracing::error!(code = error.code(), %error, "a request cannot be served");
        }
        Self { status, headers: HeaderMap::new(), body: ErrorBody::from(&error) }
    }
}

/// Why nothing was begun, as a status.
fn refused(code: &str) -> u16 {
    match code {
        "call.no-connection" | "call.no-sandbox" => 404,
        // IETF draft "The Idempotency-Key HTTP Header Field", section 2.7.
        "call.idempotency-conflict" => 422,
        "call.idempotency-running"
        | "call.idempotency-interrupted"
        | "call.idempotency-result"
        | "store.exists"
        | "store.changed" => 409,
        "store.tampered" => 424,
        _ => match code.split_once('.') {
            Some(("call", name)) if name.starts_with("unknown-") => 404,
            Some(("call", _)) => 400,
            Some(("store", _)) => 503,
            // The files, the network, the machine: nothing that the caller could mend.
            _ => 500,
        },
    }
}

/// How what was begun has failed, as a status. What a vendor says about the connection is 424: to
/// the caller 401 and 403 speak of its own key.
fn failed(code: Code) -> u16 {
    match code {
        Code::InvalidInput | Code::Limit => 422,
        Code::Unauthorized | Code::Forbidden | Code::PaymentRequired => 424,
        Code::NotFound => 404,
        Code::Conflict => 409,
        Code::RateLimited => 429,
        Code::ProviderError => 502,
        Code::Timeout => 504,
        Code::Cancelled | Code::CircuitOpen => 503,
        Code::InvalidOutput | Code::Template | Code::Internal => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_status() {
        for (code, status) in [
            ("call.unknown-connection", 404),
            ("call.no-connection", 404),
            ("call.input-invalid", 400),
            ("call.which-connection", 400),
            ("call.idempotency-conflict", 422),
            ("call.idempotency-running", 409),
            ("store.exists", 409),
            ("store.unusable", 503),
            ("file.invalid", 500),
            ("engine.io", 500),
        ] {
            assert_eq!(refused(code), status, "{code}");
        }
    }
}
