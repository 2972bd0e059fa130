//! Deadlines that are fair to what has come in the meantime: a process that stood still (stopped, or
//! on a laptop that slept) goes on with its deadline over and its answer at the socket, both at once.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use tokio::{
    task::yield_now,
    time::{Instant, timeout_at},
};

/// So many turns other tasks have, those that read sockets among them, before a deadline counts.
/// The runtime looks at its sockets at the latest after 61 turns.
pub const TURNS: u32 = 128;

/// Waits for `work` until a time, and then no longer than it takes to see what has come already.
pub async fn until<T>(at: Instant, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    if let Ok(done) = timeout_at(at, &mut work).await {
        return Some(done);
    }
    for _ in 0..TURNS {
        yield_now().await;
        if let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return Some(done);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_has_come_when_the_deadline_is_over_counts() {
        let (answer, work) = oneshot::channel();
        // Another task brings it, and has its turn only when the deadline is over already.
        let task = async move {
            for _ in 0..3 {
                yield_now().await;
            }
            answer.send(7).unwrap();
        };
        let over = Instant::now();
        tokio::spawn(task);
        assert_eq!(until(over, work).await, Some(Ok(7)));
    }

    #[tokio::test]
    async fn what_has_not_come_does_not() {
        assert_eq!(until(Instant::now(), std::future::pending::<()>()).await, None);
    }
}
