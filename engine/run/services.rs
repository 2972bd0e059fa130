//! What all runs of a process share.

use std::sync::Arc;

use crate::{
    clock::Clock,
    run::{limiter::Limiter, stop::Stop},
    store::Store,
    wire::Wire,
};

/// The world of all runs of a process.
#[derive(Clone)]
pub struct Services {
    /// The network.
    pub wire: Arc<dyn Wire>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The buckets that all runs share.
    pub limiter: Arc<Limiter>,
    /// Where runs are recorded; `None` for tests in files.
    pub store: Option<Store>,
    /// Ends all runs.
    pub stop: Stop,
}
