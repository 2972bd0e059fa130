//! What an operator asks of a running engine.

use crate::{engine::parts::Engine, error::Error, store::AccountFilter, view::Status};

impl Engine {
    /// How it stands.
    pub async fn status(&self) -> Result<Status, Error> {
        let store = self.store().await?;
        let settings = self.settings();
        Ok(Status {
            version: env!("CARGO_PKG_VERSION"),
            environment: settings.environment.to_string(),
            project: settings.project.as_ref().map(|path| path.display().to_string()),
            store: settings.store.display().to_string(),
            now: self.clock().now(),
            connections: store.accounts.count(AccountFilter::default()).await?,
            pending_revocations: store.revocations.pending().await?.len(),
        })
    }
}
