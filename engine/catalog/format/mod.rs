//! The formats: a reader for each object, which also is its description. Past here nothing can be
//! malformed.

pub mod symbols;
mod pattern;
pub mod document;
mod host;
pub mod text;
mod answer;
mod rule;
mod limit;
mod paginate;
mod request;
mod step;
mod auth;
mod requests;
pub mod sandbox;
mod test;
mod connect;
mod run_limits;
mod inherited;
pub mod placed;
pub mod blueprint;
pub mod action;
pub mod integration;
pub mod layer;
pub mod all;
