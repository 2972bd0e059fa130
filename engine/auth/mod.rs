//! Puts credentials on requests and keeps them fresh.
//!
//! [`CredentialSource`] is what a run knows of it: the credentials of one connection, good now.
//! [`StoredAccount`] is one from the store, with the [`Keeper`] behind it; [`Canned`] is one for the
//! sandbox and for tests.

mod random;
mod held;
mod export;
mod ground;
mod signing;
mod apply;
mod xml;
mod answer;
mod request;
mod send;
mod grant;
mod canned;
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
pub use apply::{authorize, base_url, is_secret, is_secret_shape, preview};
pub use canned::Canned;
pub use export::export;
pub use grant::{Ask, ask, introspect};
pub use ground::{Ground, save_callback};
pub use held::{CredentialSource, Done, Held, Holding};
pub use keeper::Keeper;
pub use lease::World;
pub use random::random;
pub use refresh::take_over;
pub use request::whole_url;
pub use reveal::{open, open_revocation, reveal};
pub use revoke::{Revoked, can_revoke, revoke};
pub use send::{Granted, Parties, Signed, own, signed};
pub use stored::StoredAccount;
