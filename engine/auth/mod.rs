//! Puts credentials on requests and keeps them fresh.
//!
//! [`CredentialSource`] is what a run knows of it: the credentials of one connection, good now.
//! [`StoredAccount`] is one from the store, with the [`Keeper`] behind it; [`FixedCredentials`] is one for the
//! sandbox and for tests.

mod values;
mod credentials;
mod export;
mod scope;
mod signing;
mod apply;
mod xml;
mod answer;
mod request;
mod send;
mod grant;
mod fixed;
mod lease;
mod permission;
mod refresh;
mod revoke;
mod keeper;
mod stored;
mod reveal;
#[cfg(test)]
mod scene;

pub use answer::scopes;
pub use apply::{authorize, bare, base_url, preview};
pub use credentials::{
    CredentialSource, CredentialsFuture, Done, OpenCredentials, masked, variables,
};
pub use export::export;
pub use fixed::FixedCredentials;
pub use grant::{TokenGrant, ask, introspect};
pub use keeper::Keeper;
pub use lease::World;
pub use permission::sign_in_again;
pub use refresh::take_over;
pub use request::whole_url;
pub use reveal::{open, open_revocation, reveal};
pub use revoke::{Revoked, can_revoke, revoke};
pub use scope::{SignInScope, save_callback};
pub use send::{Signed, TokenOutcome, TokenRequest, send_plain, send_signed};
pub use stored::StoredAccount;
pub use values::{root, values};
