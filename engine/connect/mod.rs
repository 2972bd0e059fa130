//! Signing in: from a person at a browser, a device or a form to credentials that are proven.
//!
//! ```text
//! Consent ─ the URL ─ the browser ─ Callback ─ Consent::check ─ auth::ask ─┐
//! device code ─ the person elsewhere ─ polling ────────────────────────────┼─ prove ─ stored
//! what was typed ──────────────────────────────────────────────────────────┘
//! ```

mod page;
mod consent;
mod callback;
mod accept;
mod device;
mod temporary;
mod prove;

pub use accept::{Answer, FAREWELL, Ways, answer};
pub use callback::{Callback, Listener};
pub use consent::Consent;
pub use device::{Device, begin as begin_device, confirmed};
pub use page::Page;
pub use prove::{Asking, Proven, ask, fits, prove, questions};
pub use temporary::{Temporary, begin as begin_oauth1, finish as finish_oauth1};
