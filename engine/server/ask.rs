//! What a handler is given.

use std::sync::Arc;

use crate::engine::Engine;

/// A request that found its row.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The engine.
    pub engine: &'a Arc<Engine>,
}
