//! What the store has recorded: runs, and the keys that seal it.

use crate::{
    engine::parts::Engine,
    error::{CallCode, Error},
    store::{RunFilter, rotation},
    view::{Attempts, Keys, Run},
};

/// What to do with the keys that seal the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTask {
    /// Only look.
    Status,
    /// Take a new key into use, and seal everything with it again.
    Rotate,
    /// Remove the keys that nothing is sealed with any more.
    Forget,
}

impl Engine {
    /// Runs, newest first.
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>, Error> {
        Ok(self.store().await?.runs.page(filter).await?.into_iter().map(Run::from).collect())
    }

    /// One run with its attempts; an unambiguous beginning of its id will do.
    pub async fn run_record(&self, id: &str) -> Result<Run, Error> {
        let store = self.store().await?;
        let record = store.runs.get(id).await?.ok_or_else(|| unknown_run(id))?;
        let attempts = store.runs.attempts(&record.id).await?;
        Ok(Run { attempts: Attempts::Whole(attempts), ..record.into() })
    }

    /// The keys that seal the store, after `task`.
    pub async fn keys(&self, task: KeyTask) -> Result<Keys, Error> {
        let store = self.store().await?;
        let rotation = match task {
            KeyTask::Status => rotation::state(store).await?,
            KeyTask::Rotate => rotation::rotate(store).await?,
            KeyTask::Forget => rotation::forget(store).await?,
        };
        Ok(rotation.into())
    }
}

/// There is no such run, or none that may be seen.
pub fn unknown_run(id: &str) -> Error {
    Error::call(
        CallCode::UnknownRun,
        format!("no run has the id `{id}`, or several begin with it"),
        "`engine logs` lists the latest ones",
    )
}
