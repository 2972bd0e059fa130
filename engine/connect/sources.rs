//! Where the answer of a sign-in comes from: the browser, or a URL that a person pastes.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::{
    clock::Clock,
    connect::callback::{Callback, Listener},
};

/// How long the browser has to take its last page, or to ask for it again.
pub const FAREWELL: Duration = Duration::from_millis(400);

/// Where answers come from.
pub struct AnswerSources {
    /// The browser; without one only what is pasted counts.
    pub listener: Option<Listener>,
    /// Lines that a person pastes.
    pub pasted: Option<mpsc::Receiver<String>>,
}

/// What a source brought.
pub enum Brought {
    /// The browser came back.
    Browser(Callback),
    /// A line was pasted.
    Line(String),
    /// Nothing, so far.
    Nothing,
}

impl AnswerSources {
    /// Waits for the next answer, for so long.
    pub async fn next(&mut self, clock: &dyn Clock, span: Duration) -> Brought {
        let browser = async {
            match &mut self.listener {
                Some(listener) => listener.next().await,
                None => None,
            }
        };
        let line = async {
            match &mut self.pasted {
                Some(lines) => lines.recv().await,
                None => None,
            }
        };
        // A source that has ended is left out: the other one may still bring something.
        tokio::select! {
            Some(callback) = browser => Brought::Browser(callback),
            Some(line) = line => Brought::Line(line),
            () = clock.sleep(span) => Brought::Nothing,
        }
    }
}
