//! Everything that can go wrong before a run begins.

use crate::{
    catalog,
    diagnostic::{Diagnostics, Explain},
    model::{
        account::AccountKey,
        failure::Failure,
        name::{BadName, ConnectionId},
    },
    render::shell,
    schema::Violation,
    store, wire,
};

/// Why a call was refused, or why the engine cannot work at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The files.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The memory.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The network could not be set up.
    #[error(transparent)]
    Wire(#[from] wire::SetupError),
    /// The input does not match its schema.
    #[error("the input of `{action}` is not valid: {}", summary(violations))]
    InvalidInput {
        /// Whose input.
        action: String,
        /// All that is wrong with it.
        violations: Vec<Violation>,
    },
    /// Credentials do not match the blueprint's `auth.credentials`.
    #[error("the credentials are not valid: {}", summary(.0))]
    InvalidCredentials(Vec<Violation>),
    /// Values do not match the blueprint's `connection`.
    #[error("the values of the connection are not valid: {}", summary(.0))]
    InvalidConnection(Vec<Violation>),
    /// The sandbox was asked of a blueprint that has none.
    #[error("`{blueprint}` has no sandbox")]
    NoSandbox {
        /// `name:vN`
        blueprint: String,
    },
    /// No connection of that name.
    #[error("`{integration}` has no connection `{id}`")]
    UnknownConnection {
        /// The integration.
        integration: String,
        /// The id.
        id: String,
        /// The ones there are.
        known: Vec<ConnectionId>,
    },
    /// No connection at all.
    #[error("`{integration}` has no connection yet")]
    NoConnection {
        /// The integration.
        integration: String,
        /// Whether the blueprint has a sandbox.
        sandbox: bool,
    },
    /// Several, and none is called `default`.
    #[error("`{integration}` has several connections")]
    WhichConnection {
        /// The integration.
        integration: String,
        /// The ones there are.
        known: Vec<ConnectionId>,
    },
    /// A call that cannot be made, in words.
    #[error("{message}")]
    Call {
        /// Of which kind.
        code: CallCode,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The connection cannot be used.
    #[error("{}", .0.message)]
    Refused(Failure),
    /// New tokens that the store did not take to the end.
    #[error(
        "the new tokens of {} could not be stored and are lost: the vendor may not take the older \
         ones any more",
        named(.0)
    )]
    TokensLost(Vec<AccountKey>),
    /// A port, a file, a folder.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl From<BadName> for Error {
    fn from(bad: BadName) -> Self {
        Self::call(CallCode::BadName, bad.to_string(), bad.rule)
    }
}

/// The kinds of [`Error::Call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallCode {
    /// An argument that cannot be understood.
    BadArgument,
    /// A text that cannot be a connection's id.
    BadName,
    /// A path of `engine request` that cannot be sent.
    BadPath,
    /// A dry run of what cannot be rendered.
    CannotPlan,
    /// A file that would be overwritten.
    FileExists,
    /// An input that does not fit.
    InputInvalid,
    /// An input that is not UTF-8, not JSON, or not there.
    InputUnreadable,
    /// An idempotency key that was used for something else.
    IdempotencyConflict,
    /// An idempotency key whose run was cut off.
    IdempotencyInterrupted,
    /// An idempotency key whose result is not there any more.
    IdempotencyResult,
    /// An idempotency key whose run goes on.
    IdempotencyRunning,
    /// A connection without the credentials that its blueprint requires.
    NeedsCredentials,
    /// An encrypted export without a passphrase.
    NeedsPassphrase,
    /// A server that nobody could use.
    NoApiKey,
    /// `--paginate` where the blueprint does not say how to page.
    NoPagination,
    /// A command that needs a project, and there is none.
    NoProject,
    /// Files without tests.
    NoTests,
    /// A sign-in without the client that it needs.
    NotSetUp,
    /// An export of secrets to a terminal.
    SecretsOnScreen,
    /// A key of the server that is not there.
    UnknownKey,
    /// A run that is not recorded.
    UnknownRun,
    /// A setting that cannot be understood.
    SettingInvalid,
    /// A project folder that is not there.
    ProjectMissing,
}

impl CallCode {
    /// As it is printed; `docs/errors.md` has an entry for each.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadArgument => "call.bad-argument",
            Self::BadName => "call.bad-name",
            Self::BadPath => "call.bad-path",
            Self::CannotPlan => "call.cannot-plan",
            Self::FileExists => "call.file-exists",
            Self::IdempotencyConflict => "call.idempotency-conflict",
            Self::IdempotencyInterrupted => "call.idempotency-interrupted",
            Self::IdempotencyResult => "call.idempotency-result",
            Self::IdempotencyRunning => "call.idempotency-running",
            Self::InputInvalid => "call.input-invalid",
            Self::InputUnreadable => "call.input-unreadable",
            Self::NeedsCredentials => "call.needs-credentials",
            Self::NeedsPassphrase => "call.needs-passphrase",
            Self::NoApiKey => "call.no-api-key",
            Self::NoPagination => "call.no-pagination",
            Self::NoProject => "call.no-project",
            Self::NoTests => "call.no-tests",
            Self::NotSetUp => "call.not-set-up",
            Self::SecretsOnScreen => "call.secrets-on-screen",
            Self::UnknownKey => "call.unknown-key",
            Self::UnknownRun => "call.unknown-run",
            Self::SettingInvalid => "settings.invalid",
            Self::ProjectMissing => "settings.no-project",
        }
    }
}

impl Error {
    /// A call that cannot be made: its code, what is wrong, what to do.
    pub fn call(code: CallCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Call { code, message: message.into(), hint: Some(hint.into()) }
    }

    /// The diagnostics, if files are the reason.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        match self {
            Self::Catalog(catalog::Error::Invalid(diagnostics)) => Some(diagnostics),
            Self::Catalog(_)
            | Self::Store(_)
            | Self::Wire(_)
            | Self::InvalidInput { .. }
            | Self::InvalidCredentials(_)
            | Self::InvalidConnection(_)
            | Self::NoSandbox { .. }
            | Self::UnknownConnection { .. }
            | Self::NoConnection { .. }
            | Self::WhichConnection { .. }
            | Self::Call { .. }
            | Self::Refused(_)
            | Self::TokensLost(_)
            | Self::Io { .. } => None,
        }
    }
}

fn summary(violations: &[Violation]) -> String {
    let all: Vec<String> = violations
        .iter()
        .map(|violation| match violation.pointer.trim_start_matches('/') {
            "" => violation.message.clone(),
            place => format!("`{}`: {}", place.replace('/', "."), violation.message),
        })
        .collect();
    all.join("; ")
}

fn hint_of(violations: &[Violation]) -> Option<String> {
    violations.iter().find_map(|violation| violation.hint.clone())
}

fn named(keys: &[AccountKey]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

fn listed(known: &[ConnectionId]) -> String {
    known.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// Names no connections, for those who may not list them.
    pub fn forget_connections(&mut self) {
        if let Self::UnknownConnection { known, .. } | Self::WhichConnection { known, .. } = self {
            known.clear();
        }
    }

    /// Names nothing that is called alike, for those who may not know of it.
    pub fn forget_suggestion(&mut self) {
        if let Self::Catalog(catalog::Error::Unknown { hint, .. }) = self {
            *hint = None;
        }
    }
}

impl Explain for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Catalog(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Wire(error) => error.code(),
            Self::InvalidInput { .. }
            | Self::InvalidCredentials(_)
            | Self::InvalidConnection(_) => "call.input-invalid",
            Self::NoSandbox { .. } => "call.no-sandbox",
            Self::UnknownConnection { .. } => "call.unknown-connection",
            Self::NoConnection { .. } => "call.no-connection",
            Self::WhichConnection { .. } => "call.which-connection",
            Self::Call { code, .. } => code.as_str(),
            Self::Refused(_) => "auth.needs-authorization",
            Self::TokensLost(_) => "engine.tokens-lost",
            Self::Io { .. } => "engine.io",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Catalog(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Wire(error) => error.hint(),
            Self::InvalidInput { action, violations } => hint_of(violations)
                .or_else(|| Some(format!("`engine list actions {action}` shows what it takes"))),
            Self::InvalidCredentials(violations) => hint_of(violations).or_else(|| {
                Some("the blueprint's `auth.credentials` says what they are".to_owned())
            }),
            Self::InvalidConnection(violations) => hint_of(violations)
                .or_else(|| Some("give them with `--config NAME=VALUE`".to_owned())),
            Self::NoSandbox { .. } => Some(
                "put a file `vN.sandbox.yaml` beside it; see docs/guides/sandbox.md".to_owned(),
            ),
            Self::UnknownConnection { known, integration, .. } if known.is_empty() => {
                Some(format!("make one with `engine connect {}`", shell::word(integration)))
            }
            Self::UnknownConnection { known, .. } => Some(format!("there are: {}", listed(known))),
            Self::NoConnection { integration, sandbox } => {
                let make = format!("make one with `engine connect {}`", shell::word(integration));
                let or = if *sandbox { ", or try it with `--sandbox`" } else { "" };
                Some(format!("{make}{or}"))
            }
            Self::WhichConnection { known, .. } if known.is_empty() => {
                Some("name one with `--connection`".to_owned())
            }
            Self::WhichConnection { known, .. } => {
                Some(format!("name one with `--connection`: {}", listed(known)))
            }
            Self::Call { hint, .. } => hint.clone(),
            Self::Refused(failure) => failure.hint.clone(),
            Self::TokensLost(keys) => {
                let again = |key: &AccountKey| {
                    let (name, id) = (shell::word(&key.integration), shell::word(&key.id));
                    format!("`engine connect {name} --connection={id}`")
                };
                let all: Vec<String> = keys.iter().map(again).collect();
                let all = all.join(", ");
                Some(format!(
                    "make the store writable; then run the command again, and if the connection \
                     needs authorization by then, sign in again: {all}"
                ))
            }
            Self::Io { .. } => None,
        }
    }
}
