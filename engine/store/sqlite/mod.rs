//! The store in one file of SQLite.
//!
//! One thread writes: what waits for it goes into one transaction, each piece under a savepoint of
//! its own, and is answered after the commit. Other threads read. Only these threads wait for a sync
//! or for another process. They start when they are first needed, and a short command needs none:
//! callers ask for single rows, and write the first few records, themselves, over the connection
//! that the writing thread takes over; what cannot be done at once goes to the threads.
//!
//! What must survive a power cut is committed with full sync; records, limits and leases are not:
//! a power cut ends every run, every window and every holder.

mod fault;
mod opening;
mod shared;
mod seals;
mod rows;
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
mod permits;
mod leases;
mod audit;
mod keys;
mod revocations;
mod sealing;

pub use file::Sqlite;
pub use opening::Opening;
