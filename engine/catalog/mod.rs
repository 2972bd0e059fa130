//! The catalog: what the files say.
//!
//! text → tree with places → environment → merge along `extends_blueprint` → spec → model.
//! A call reads `integrations.yaml`, one chain of blueprints and one action, and nothing else.
//! What was read is a [`Snapshot`]; [`Catalog`] puts another in its place when files change.

pub mod tree;
mod scalar;
mod syntax;
mod builder;
mod ordinary;
pub mod yaml;
mod raw;
mod fault;
mod view;
pub mod decode;
pub mod env;
pub mod merge;
mod spec;
mod resolve;
mod error;
mod files;
mod slots;
mod source;
mod chain;
mod actions;
mod base;
mod loaded;
mod entry;
mod config;
mod load;
mod summary;
pub mod reference;
pub mod manual;
mod snapshot;
mod reload;
mod check;

pub use check::{Checked, Testable};
pub use entry::FILE;
pub use env::Environment;
pub use error::Error;
pub use loaded::Loaded;
pub use reload::{Broken, Catalog, Reloaded};
pub use snapshot::Snapshot;
pub use summary::{ActionSummary, BlueprintSummary, IntegrationSummary};
