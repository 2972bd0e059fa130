//! The wish that runs end, from whoever runs the process.

use tokio::sync::watch;

/// Asks all runs of a process to end. They end as failed with `cancelled`, and say what they have
/// done.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    /// Asks them, now and from here on. Whether there are any.
    pub fn ask(&self) -> bool {
        self.0.send_replace(true);
        self.0.receiver_count() > 0
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        let mut asked = self.0.subscribe();
        while !*asked.borrow_and_update() {
            // It fails only where the sender is gone, and the sender is here.
            if asked.changed().await.is_err() {
                return;
            }
        }
    }
}
