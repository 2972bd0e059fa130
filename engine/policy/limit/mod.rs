//! Limits: how fast one may go, kept before the API has to say no.
//!
//! A [`Bucket`] is what a process knows of one limit. Windows of a second and more are counted in a
//! [`SharedLimit`], which all processes on a store share and which hands out cells, each the right
//! to start one request within a short span; shorter windows are counted in the process alone.
//!
//! Within a process, times are those of the boot clock; in a shared limit they are the store's.
//! A [`Reading`] ties the two together.

mod reading;
mod call;
mod shared;
mod cells;
mod starts;
mod bucket;
mod fit;

pub use bucket::{Ask, Bucket, Place, Remaining, Take};
pub use call::{Call, Reply};
pub use fit::{matches, observe};
pub use reading::Reading;
pub use shared::{Damaged, SharedLimit};

#[cfg(test)]
mod model;
