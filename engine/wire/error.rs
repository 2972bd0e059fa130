//! Why there is no answer.

use std::time::Duration;

use crate::diagnostic::Explain;

/// Why no answer came. Messages hold host names and reasons, never a URL's path or query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Name resolution, connecting or TLS failed: nothing was sent.
    #[error("cannot connect to `{host}`: {reason}")]
    Connect {
        /// The host and port.
        host: String,
        /// In our words.
        reason: String,
    },
    /// The outbound policy refuses the address: nothing was sent.
    #[error("`{host}` is at {address}, which the outbound policy refuses")]
    Blocked {
        /// The host.
        host: String,
        /// What it resolved to.
        address: String,
    },
    /// Too slow. `sent` tells whether the request may have been processed.
    #[error("no answer from `{host}` within {limit:?}")]
    Timeout {
        /// The host.
        host: String,
        /// Which limit it was.
        limit: Duration,
        /// Whether the request had gone out.
        sent: bool,
    },
    /// The answer is larger than allowed.
    #[error("the answer of `{host}` is larger than {limit} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// The cap, in bytes.
        limit: u64,
    },
    /// The connection broke, or the answer was cut short or damaged: sent, fate unknown.
    #[error("the answer of `{host}` broke off: {reason}")]
    Broken {
        /// The host.
        host: String,
        /// In our words.
        reason: String,
    },
    /// The request itself cannot be sent (a header that HTTP forbids, plain http refused): nothing
    /// was sent.
    #[error("the request to `{host}` cannot be sent: {reason}")]
    Refused {
        /// The host.
        host: String,
        /// In our words.
        reason: String,
    },
}

impl Error {
    /// Whether the request may have taken effect.
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Blocked { .. } | Self::Refused { .. } => false,
            Self::Timeout { sent, .. } => *sent,
            Self::TooLarge { .. } | Self::Broken { .. } => true,
        }
    }
}

impl Explain for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "wire.connect",
            Self::Blocked { .. } => "wire.blocked",
            Self::Timeout { .. } => "wire.timeout",
            Self::TooLarge { .. } => "wire.too-large",
            Self::Broken { .. } => "wire.broken",
            Self::Refused { .. } => "wire.refused",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Blocked { address, .. } => Some(format!(
                "open it with `--allow-net {address}/…` or ENGINE_ALLOW_NET if it is yours"
            )),
            Self::TooLarge { .. } => Some("raise `requests.max_response`".to_owned()),
            Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::Refused { .. } => None,
        }
    }
}
