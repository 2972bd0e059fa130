//! The runtime, and the signals that end what runs in it.

use std::{future::Future, io, pin::pin, time::Duration};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{cli::report::Exit, engine::Engine, error::Error};

/// How work ended.
pub enum Ended<T> {
    /// By itself.
    Done(T),
    /// By a signal; with what the work came to, if it ended in order.
    Stopped(Exit, Option<T>),
}

/// What runs may take to end when they are asked to: they write their record.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `work` on this thread. The first signal stops the engine's runs, which then say what they
/// have done, and drops everything else. Then refreshes under way come to their end, and unused
/// places of limits go back; a further signal does not wait for that.
pub fn run<T>(engine: &Engine, work: impl Future<Output = T>) -> Result<Ended<T>, Error> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(broken)?;
    // It is moved twice from here on, and each of these places would be as large as it.
    let work = Box::pin(work);
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let ended = until_signal(engine, work, &mut signals).await;
        // The first signal may come when the work has just ended: it cuts nothing short either.
        let signals_left = match ended {
            Ended::Done(_) => 2,
            Ended::Stopped(..) => 1,
        };
        let mut rest = pin!(engine.shutdown());
        for _ in 0..signals_left {
            tokio::select! {
                () = &mut rest => break,
                _ = signals.next() => {}
            }
        }
        Ok(ended)
    });
    // A name that is still being looked up keeps nobody waiting.
    runtime.shutdown_background();
    ended.map_err(broken)
}

/// Waits for work that asks nobody outside, and that no signal needs to end in order.
pub fn wait<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    Builder::new_current_thread().build().map_err(broken)?.block_on(work)
}

fn broken(source: io::Error) -> Error {
    Error::Io { what: "the runtime cannot start".to_owned(), source }
}

async fn until_signal<T>(
    engine: &Engine,
    work: impl Future<Output = T>,
    signals: &mut Signals,
) -> Ended<T> {
    let mut work = pin!(work);
    let exit = tokio::select! {
        biased;
        result = &mut work => return Ended::Done(result),
        exit = signals.next() => exit,
    };
    if !engine.stop() {
        return Ended::Stopped(exit, None);
    }
    tokio::select! {
        biased;
        result = work => Ended::Stopped(exit, Some(result)),
        _ = signals.next() => Ended::Stopped(exit, None),
        () = engine.clock().sleep(GRACE) => Ended::Stopped(exit, None),
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}
