//! A format, described once: the walk that reads an object is the one that lists its keys.
//!
//! A reader asks an [`object::Object`] for each key by name, meaning and form. Over a node of a
//! file it gets values, and every fault is reported at its place; over nothing it leaves the list
//! of what it asked for, of which JSON Schemas and reference pages are made.

pub mod description;
pub mod key;
pub mod choice;
pub mod scalar;
pub mod list;
pub mod listing;
pub mod object;
pub mod fields;
pub mod layer;
pub mod prelude;
