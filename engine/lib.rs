//! The engine: reads blueprints, integrations and actions, and runs the actions.
//!
//! The modules stand in reading order, and the reading order is the law:
//! **a module may use only the modules above it.** `tests/house.rs` holds us to it.

// Ground floor — the nouns, JSON values, text for people: no I/O, no clock, no YAML.
pub mod model;
pub mod value;
pub mod render;

// First floor — the languages: text in, values out.
pub mod diagnostic;
pub mod template;
pub mod schema;

// Second floor — the decisions: pure functions over the nouns.
pub mod policy;
pub mod sign;

// Third floor — the outside world: files, time, network, memory; the last three behind a trait.
pub mod file;
pub mod catalog;
pub mod clock;
pub mod wire;
pub mod vault;
pub mod store;
pub mod http;
pub mod sandbox;

// Fourth floor — the work.
pub mod auth;
pub mod run;
pub mod proxy;
pub mod connect;
pub mod suite;

// Fifth floor — the facade.
pub mod error;
pub mod settings;
pub mod view;
pub mod engine;

// The doors.
pub mod server;
pub mod cli;
