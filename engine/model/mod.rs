//! The vocabulary: plain data, valid by construction. No files, no network, no clock, no async.
//!
//! A *blueprint* says how an API behaves, an *integration* that we use it, an *action* what to do
//! with it. An *account* is one link to an integration, a *connection* one with its *credentials* open.
//! Running an action is a *run*; it makes *attempts*, whose answers mean an *outcome* by *rules*.

pub mod secret;
pub mod time;
pub mod name;
pub mod template;
pub mod sign;
pub mod schema;
pub mod proxy;
pub mod http;
pub mod failure;
pub mod rule;
pub mod limit;
pub mod retry;
pub mod run_limits;
pub mod pagination;
pub mod test;
pub mod sandbox;
pub mod action;
pub mod auth;
pub mod blueprint;
pub mod account;
pub mod record;
pub mod api_key;
