//! Whether the engine can work: whether its store takes writes.

use crate::{engine::parts::Engine, error::Error};

/// Stands among the rate limits, which are the rows that a power cut may undo.
const PROBE: &str = "ready";

impl Engine {
    /// Writes a row into the store, or knows that one was written within the last second.
    pub async fn ready(&self) -> Result<(), Error> {
        let now = self.clock().elapsed();
        if self.probe().is_fresh(now) {
            return Ok(());
        }
        let limits = &self.store().await?.limits;
        let row = limits.read(PROBE).await?;
        // Another process may have written it at the same time: then it takes writes, too.
        let _mine = limits.swap(PROBE, row.version, String::new()).await?;
        self.probe().seen(now);
        Ok(())
    }
}
