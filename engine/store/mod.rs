//! The engine's memory, behind one trait: one SQLite file for connections, leases and runs.
//!
//! Credentials are sealed by [`seal`] under a key from [`key`] before they reach a statement, and
//! bound to their row, so that neither the file nor its journal ever holds one in the clear, and a
//! row that was moved does not open. [`schema`] makes the file, proves the key before anything is
//! written, and brings an older file up to date. [`sqlite`] writes credentials and everything that
//! must survive a power cut with full sync over one connection, and run records, which need not,
//! over a second one that never waits for the disk.

pub mod port;
pub mod fault;
pub mod seal;
pub mod sealed;
pub mod key;
pub mod schema;
pub mod ring;
pub mod process;
pub mod rows;
pub mod connections;
pub mod revocations;
pub mod leases;
pub mod runs;
pub mod sqlite;

pub use key::KeySource;
pub use port::{Error, KeyUse, Revocation, Rotation, RunFilter, Store};
pub use sqlite::Sqlite;
