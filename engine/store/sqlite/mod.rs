//! The store in one file of SQLite.
//!
//! One thread writes: what waits for it goes into one transaction, each piece under a savepoint of
//! its own, and is answered after the commit. Other threads read. Only these threads ever wait for
//! the disk or for another process. They start when they are first needed, so that a short command
//! pays only for what it uses.
//!
//! What must survive a power cut is committed with full sync; records, limits and leases are not:
//! a power cut ends every run, every window and every holder.

mod fault;
mod rows;
mod seals;
mod schema;
mod writer;
mod readers;
mod file;
mod tokens;
mod accounts;
mod secrets;
mod runs;
mod jobs;
mod consents;
mod limits;
mod leases;
mod audit;
mod revocations;
mod sealing;

pub use file::{Opening, Sqlite};
