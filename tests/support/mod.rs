//! The builder of a world: a project folder, a peer that plays an API, the real binary.

pub mod peer;
pub mod project;
pub mod browser;
pub mod signing;
pub mod api;
pub mod limits;
pub mod large;
pub mod sources;
