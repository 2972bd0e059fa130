//! The catalog: what the files say.
//!
//! text → tree with places → environment → merge along `extends_blueprint` → model.
//! A call reads `integrations.yaml`, one chain of blueprints and one action, and nothing else.
//! What was read is a [`Snapshot`]; [`Catalog`] puts another in its place when files change.

pub mod tree;
mod scalar;
mod syntax;
mod builder;
mod ordinary;
pub mod yaml;
pub mod env;
pub mod merge;
mod form;
mod format;
mod error;
mod listing;
mod files;
mod slots;
mod source;
mod chain;
mod actions;
mod base;
mod loaded;
mod entry;
mod config;
mod edges;
mod variables;
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
pub use format::all as formats;
pub use loaded::Loaded;
pub use reload::{Broken, Catalog, Reloaded};
pub use snapshot::Snapshot;
pub use summary::{ActionSummary, BlueprintSummary, IntegrationSummary};
