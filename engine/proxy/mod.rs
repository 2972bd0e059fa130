//! The work of the proxy: which fields go up and come back, where a request goes, and bodies that
//! are handed on as they come, in both directions.
//!
//! Credentials, limits, waits, retries and records are those of any request (`run`).

mod fields;
mod target;
mod upload;
mod relay;

pub use fields::up;
pub use relay::{Intake, Reader, Relay, Relayed, relay};
pub use target::{Elsewhere, endpoint};
pub use upload::upload;
