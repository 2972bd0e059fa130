//! Spec → model, with every problem told at its place. Past here nothing can be malformed.

pub mod symbols;
pub mod shape;
pub mod pattern;
pub mod document;
pub mod host;
pub mod rule;
pub mod limit;
pub mod step;
pub mod auth;
pub mod requests;
pub mod sandbox;
pub mod blueprint;
pub mod action;
