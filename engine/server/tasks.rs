//! Work that goes on although its client is gone, and that a stop waits for.

use tokio::{sync::watch, task::JoinHandle};

/// See the module.
pub struct Tasks(watch::Sender<()>);

impl Default for Tasks {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Tasks {
    /// Begins some.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let under_way = self.0.subscribe();
        tokio::spawn(async move {
            let done = work.await;
            drop(under_way);
            done
        })
    }

    /// Waits for all that has begun.
    pub async fn ended(&self) {
        self.0.closed().await;
    }
}
