//! Logs to standard error, as text or as JSON; our own events only.

use std::io;

use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    reload,
};

use crate::{cli::args::LogFormat, model::blueprint::LogLevel};

/// The sink of all events of this process.
#[derive(Debug)]
pub struct Logging {
    handle: reload::Handle<Targets, Registry>,
    log: Targets,
    given: bool,
}

impl Logging {
    /// Begins to log. `given`: the caller said what to log, so that nothing logs less.
    pub fn start((log, given): (Targets, bool), format: Option<LogFormat>, colour: bool) -> Self {
        let (filter, handle) = reload::Layer::new(log.clone());
        let layer = fmt::layer().with_writer(io::stderr);
        let layer = match format.unwrap_or(LogFormat::Pretty) {
            LogFormat::Pretty => layer.compact().with_ansi(colour).with_target(false).boxed(),
            LogFormat::Json => {
                layer.json().flatten_event(true).with_span_list(false).with_ansi(false).boxed()
            }
        };
        let subscriber = Registry::default().with(layer.with_filter(filter));
        // A second one in a process (of a test) leaves the first in place.
        let _first = tracing::subscriber::set_global_default(subscriber);
        Self { handle, log, given }
    }

    /// The `log_level` of the integration that this command is about. A command is about one, so
    /// this is the level of all that follows.
    pub fn integration(&self, level: LogLevel) {
        let log = merged(&self.log, self.given, level);
        if self.handle.reload(log).is_err() {
            tracing::debug!("another subscriber logs");
        }
    }
}

/// The integration's level, in place of the default, or in place of what the caller gave if it logs more.
fn merged(log: &Targets, given: bool, level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let now = log.iter().find(|(target, _)| *target == "engine").map(|(_, level)| level);
    let level = if given { now.map_or(level, |now| now.max(level)) } else { level };
    log.clone().with_target("engine", level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn an_integration_is_heard_as_it_asks_unless_more_was_wanted() {
        let base = |level| Targets::new().with_target("engine", level);
        for (log, given, level, debug, info, warn) in [
            (LevelFilter::WARN, false, LogLevel::Debug, true, true, true),
            (LevelFilter::WARN, false, LogLevel::Error, false, false, false),
            (LevelFilter::TRACE, true, LogLevel::Error, true, true, true),
            (LevelFilter::ERROR, true, LogLevel::Info, false, true, true),
        ] {
            let found = merged(&base(log), given, level);
            let enabled = |level| found.would_enable("engine::run::note", &level);
            assert_eq!(
                (enabled(Level::DEBUG), enabled(Level::INFO), enabled(Level::WARN)),
                (debug, info, warn)
            );
            assert!(!found.would_enable("hyper", &Level::ERROR));
        }
    }
}
