//! The runtime, and the signals that end what runs in it.

use std::{future::Future, io, pin::pin, time::Duration};

use futures_util::future::OptionFuture;
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{cli::report::Exit, engine::Engine, error::Error};

/// How work ended.
pub enum Completion<T> {
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
pub fn complete<T>(engine: &Engine, work: impl Future<Output = T>) -> Result<Completion<T>, Error> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(broken)?;
    // It is moved twice from here on, and each of these places would be as large as it.
    let work = Box::pin(work);
    let completion = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let completion = until_signal(engine, work, &mut signals).await;
        // The first signal may come when the work has just ended: it cuts nothing short either.
        let signals_left = match completion {
            Completion::Done(_) => 2,
            Completion::Stopped(..) => 1,
        };
        let mut rest = pin!(engine.shutdown());
        for _ in 0..signals_left {
            tokio::select! {
                () = &mut rest => break,
                _ = signals.next() => {}
            }
        }
        Ok(completion)
    });
    // The process does not wait for a name that is still being looked up.
    runtime.shutdown_background();
    completion.map_err(broken)
}

/// How a server ended.
pub enum Served {
    /// All that was under way came to its end.
    Ended,
    /// A second signal, or its time limit, cut something short.
    Cut(Exit),
}

/// Serves on all processors: begins, waits for the first signal, and then for `stop` and for
/// refreshes under way. A second signal waits for nothing.
pub fn serve<S, E: Future<Output = bool>>(
    engine: &Engine,
    listen: impl Future<Output = Result<S, Error>>,
    stop: impl FnOnce(S) -> E,
) -> Result<Result<Served, Error>, Error> {
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(broken)?;
    let served = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let listening = tokio::select! {
            listening = listen => match listening {
                Ok(listening) => listening,
                Err(error) => return Ok(Err(error)),
            },
            exit = signals.next() => return Ok(Ok(Served::Cut(exit))),
        };
        let exit = signals.next().await;
        tracing::info!("no more requests are taken; those under way come to their end");
        let rest = async {
            let all = stop(listening).await;
            engine.shutdown().await;
            all
        };
        Ok(Ok(tokio::select! {
            all = rest => if all { Served::Ended } else { Served::Cut(exit) },
            exit = signals.next() => Served::Cut(exit),
        }))
    });
    // Nobody waits for what was cut.
    runtime.shutdown_background();
    served.map_err(broken)
}

/// Waits for work that neither uses the network nor has anything to put in order at a signal.
pub fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    Builder::new_current_thread().build().map_err(broken)?.block_on(work)
}

fn broken(source: io::Error) -> Error {
    Error::Io { what: "the runtime cannot start".to_owned(), source }
}

async fn until_signal<T>(
    engine: &Engine,
    work: impl Future<Output = T>,
    signals: &mut Signals,
) -> Completion<T> {
    let mut work = pin!(work);
    let exit = tokio::select! {
        biased;
        result = &mut work => return Completion::Done(result),
        exit = signals.next() => exit,
    };
    if !engine.stop() {
        return Completion::Stopped(exit, None);
    }
    tokio::select! {
        biased;
        result = work => Completion::Stopped(exit, Some(result)),
        _ = signals.next() => Completion::Stopped(exit, None),
        () = engine.clock().sleep(GRACE) => Completion::Stopped(exit, None),
    }
}

/// The signals that ask a process to end. Left to themselves they would end it in the middle of a
/// refresh, when a closed terminal sends one.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    /// `None` under `nohup`, which has this process ignore it.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            hangup: if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.quit.recv() => Exit::Quit,
            Some(_) = OptionFuture::from(self.hangup.as_mut().map(Signal::recv)) => Exit::HungUp,
        }
    }
}

/// Whether this process was started with SIGHUP ignored (`SigIgn` of `proc_pid_status(5)`). Where that
/// cannot be read, it was not.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_signal_1(&status, "SigIgn:")
}

/// Whether the lowest bit of a mask of signals is set, which is signal 1: SIGHUP.
fn has_signal_1(status: &str, field: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix(field));
    let mask = mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_seen() {
        for (status, ignored) in [
            ("Name:\tx\nSigIgn:\t0000000000000001\nSigCgt:\t0000000000000000\n", true),
            ("SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n", false),
            ("SigIgn:\tnonsense\n", false),
            ("", false),
        ] {
            assert_eq!(has_signal_1(status, "SigIgn:"), ignored, "{status}");
        }
    }
}
