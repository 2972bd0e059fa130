//! The builder of a world: a project folder, a peer that plays an API, the real binary.
//! Several test binaries use it, so it says for itself what its lints are.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests may")]
#![expect(clippy::needless_pass_by_value, clippy::format_push_string, reason = "brevity in tests")]

pub mod peer;
pub mod proxy;
pub mod project;
pub mod browser;
pub mod signing;
#[cfg(target_os = "linux")]
pub mod server;
pub mod api;
pub mod limits;
pub mod large;
pub mod tls;
pub mod sources;
