//! What is reported while a run goes on: a bar for long fan-outs, a line for long waits.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    cli::terminal::{FAINT, Terminal, clean, styled},
    clock::Clock,
    engine::Observer,
    model::time::format_span,
};

/// Fewer items than this need no bar.
const MANY: u64 = 8;
/// A bar appears when a step took so long.
const LONG: Duration = Duration::from_millis(400);
/// A shorter wait is not worth a line.
const WORTH_A_LINE: Duration = Duration::from_secs(2);

/// Draws on standard error, if that is a terminal.
pub struct Progress<'a> {
    /// `None` if nothing is drawn.
    terminal: Option<&'a Terminal>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    step: String,
    since: Duration,
    bar: Option<ProgressBar>,
}

impl<'a> Progress<'a> {
    /// Reports on one run, unless `quiet`.
    pub fn new(terminal: &'a Terminal, quiet: bool, clock: Arc<dyn Clock>) -> Self {
        let terminal = (terminal.alive && !quiet).then_some(terminal);
        Self { terminal, clock, state: Mutex::default() }
    }
}

impl Observer for Progress<'_> {
    fn progress(&self, step: &str, done: u64, total: Option<u64>) {
        if self.terminal.is_none() {
            return;
        }
        let now = self.clock.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.step != step {
            *state = State { step: step.to_owned(), since: now, bar: None };
        }
        if let (None, Some(total)) = (&state.bar, total)
            && is_long(done, total, now.saturating_sub(state.since))
        {
            state.bar = Some(bar(step, total));
        }
        if let Some(bar) = &state.bar {
            bar.set_position(done);
        }
    }

    fn waiting(&self, reason: &str, span: Duration) {
        let Some(terminal) = self.terminal.filter(|_| span >= WORTH_A_LINE) else { return };
        let span = Duration::from_secs(span.as_secs());
        let line = clean(&format!("waiting {}: {reason}", format_span(span))).into_owned();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.bar {
            Some(bar) => bar.println(line),
            None => terminal.err(&format!("{}\n", styled(FAINT, &line))),
        }
    }
}

/// The bar leaves nothing behind.
impl Drop for State {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn is_long(done: u64, total: u64, took: Duration) -> bool {
    total >= MANY && done < total && took >= LONG
}

fn bar(step: &str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(clean(step).into_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_fan_outs_get_a_bar() {
        for (done, total, ms, long) in
            [(1, 50, 500, true), (1, 50, 100, false), (1, 7, 5000, false), (50, 50, 500, false)]
        {
            assert_eq!(is_long(done, total, Duration::from_millis(ms)), long, "{done}/{total}");
        }
    }
}
