//! Signing in: from a person at a browser, a device or a form to credentials that are proven.
//!
//! ```text
//! begin ─ a row in the store, and the URL ─ the browser ─ answer ─ auth::ask ─┐
//! device code ─ the person elsewhere ─ polling ───────────────────────────────┼─ prove ─ stored
//! what was typed ─────────────────────────────────────────────────────────────┘
//! ```

mod page;
mod authorization;
mod temporary;
mod consent;
pub mod outcome;
mod callback;
mod sources;
mod device;
mod prove;
#[cfg(test)]
mod scene;

pub use authorization::{Authorization, Begun};
pub use callback::{Callback, Listener};
pub use consent::{Answer, CallbackParams, PATIENCE, Parameters, answer, begin, hash, refused};
pub use device::{Device, begin as begin_device, confirmed};
pub use page::Page;
pub use prove::{Proof, Questions, ask, fits, learn, prove, questions};
pub use sources::{AnswerSources, Brought, FAREWELL};
pub use temporary::{Temporary, finish as finish_oauth1};
