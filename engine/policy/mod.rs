//! Decisions: pure functions over the nouns, told the time. Nothing here waits or asks.

pub mod query;
pub mod permission;
pub mod charset;
pub mod pattern;
pub mod wait;
pub mod ietf;
pub mod classify;
pub mod retry;
pub mod health;
pub mod limit;
pub mod link;
pub mod host;
pub mod redirect;
pub mod paginate;
pub mod token;
pub mod known;
pub mod redact;
pub mod plan;
