//! Puts credentials on requests and keeps them fresh.
//!
//! [`Account`] is what a run knows of it: the credentials of one connection, good now. [`Kept`] is
//! one from the store, with the [`Keeper`] behind it; [`Canned`] one for the sandbox and for tests.

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
mod revoke;
mod canned;
mod flight;
mod keeper;

pub use answer::scopes;
pub use apply::{append_query, authorize, base_url, is_secret, is_secret_shape, preview};
pub use canned::Canned;
pub use export::export;
pub use flight::{World, renew};
pub use grant::{Ask, ask};
pub use ground::{Ground, save_callback};
pub use held::{Account, Held, Holding};
pub use keeper::{Keeper, Kept};
pub use random::random;
pub use request::whole_url;
pub use revoke::{Revoked, can_revoke, revoke};
pub use send::{Granted, Parties, Signed, own, signed};
