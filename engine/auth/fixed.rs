//! Credentials that need no store: for the sandbox and for the tests in files.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    auth::credentials::{CredentialSource, CredentialsFuture, Done, OpenCredentials},
    model::{
        account::{Connection, Credentials},
        blueprint::Integration,
        failure::{Code, Failure},
    },
};

/// An account whose refreshes always succeed, as often as `renewable` says.
pub struct FixedCredentials {
    held: Arc<OpenCredentials>,
    renewable: bool,
    rejected: AtomicBool,
}

impl FixedCredentials {
    /// Credentials that never end.
    pub fn new(credentials: &Credentials, integration: &Integration) -> Self {
        Self {
            held: Arc::new(OpenCredentials::new(1, credentials, integration).with_fixed_nonce()),
            renewable: integration.blueprint.auth.mode.can_refresh(),
            rejected: AtomicBool::new(false),
        }
    }

    /// Credentials that are being proven: they work as they are or not at all.
    pub fn fresh(connection: &Connection, integration: &Integration) -> Self {
        Self {
            held: Arc::new(OpenCredentials::of(connection, integration)),
            renewable: false,
            rejected: AtomicBool::new(false),
        }
    }

    /// The credentials.
    pub fn held(&self) -> &OpenCredentials {
        &self.held
    }

    /// Whether the API wanted a person.
    pub fn was_rejected(&self) -> bool {
        self.rejected.load(Ordering::Relaxed)
    }
}

impl CredentialSource for FixedCredentials {
    fn current(&self) -> CredentialsFuture<'_> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.held))))
    }

    fn renew<'a>(&'a self, _stale: &'a OpenCredentials) -> CredentialsFuture<'a> {
        let result = if self.renewable {
            Ok(Arc::clone(&self.held))
        } else {
            Err(Failure::new(Code::Unauthorized, "these credentials cannot be refreshed"))
        };
        Box::pin(std::future::ready(result))
    }

    fn can_renew(&self) -> bool {
        self.renewable
    }

    /// What is asked of the API is what a test, or a sign-in, says: nothing is proven behind it.
    fn has_person(&self) -> bool {
        false
    }

    fn reject<'a>(&'a self, _reason: &'a str) -> Done<'a> {
        self.rejected.store(true, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}
