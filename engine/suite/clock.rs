//! A clock that only moves when nothing else can happen.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use crate::{clock::Clock, model::time::Timestamp};

/// 2023-11-14T22:13:20Z, epoch 1 700 000 000: when all tests begin.
const START: Timestamp = Timestamp(1_700_000_000_000);
/// A test that wakes itself more often than this goes round in circles.
const MOST_TURNS: u32 = 1_000_000;

/// Time for one test.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    elapsed: Duration,
    sleepers: Vec<(Duration, Waker)>,
}

/// The future waits for something that can never happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run waits for something that never happens")]
pub struct Stuck;

impl VirtualClock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a future to its end on this thread. When it waits and nothing woke it, time jumps to
    /// the earliest end of a sleep.
    pub fn drive<F: Future>(&self, future: F) -> Result<F::Output, Stuck> {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        for _ in 0..MOST_TURNS {
            if flag.0.swap(false, Ordering::Relaxed)
                && let Poll::Ready(output) = future.as_mut().poll(&mut context)
            {
                return Ok(output);
            }
            if !flag.0.load(Ordering::Relaxed) && !self.advance() {
                return Err(Stuck);
            }
        }
        Err(Stuck)
    }

    /// Jumps to the earliest end of a sleep; whether there was one.
    fn advance(&self) -> bool {
        let mut state = self.state();
        let Some(next) = state.sleepers.iter().map(|(end, _)| *end).min() else { return false };
        state.elapsed = state.elapsed.max(next);
        let (due, later) =
            std::mem::take(&mut state.sleepers).into_iter().partition(|(end, _)| *end <= next);
        state.sleepers = later;
        drop(state);
        let due: Vec<(Duration, Waker)> = due;
        for (_, waker) in due {
            waker.wake();
        }
        true
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        START.plus(self.state().elapsed)
    }

    fn elapsed(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let end = self.state().elapsed.saturating_add(span);
        Box::pin(Sleep { clock: self.clone(), end })
    }
}

struct Sleep {
    clock: VirtualClock,
    end: Duration,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.elapsed >= self.end {
            return Poll::Ready(());
        }
        state.sleepers.push((self.end, context.waker().clone()));
        Poll::Pending
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_jumps_and_dead_ends_are_noticed() {
        let clock = VirtualClock::default();
        let inner = clock.clone();
        let end = clock.drive(async move {
            inner.sleep(Duration::from_secs(3)).await;
            inner.sleep(Duration::from_mins(1)).await;
            inner.now()
        });
        assert_eq!(end, Ok(Timestamp(START.0 + 63_000)));
        assert_eq!(clock.drive(std::future::pending::<()>()), Err(Stuck));
    }
}
