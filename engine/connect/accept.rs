//! Waits for the browser, or for the URL that a person pasted, until an answer is ours.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::Clock,
    connect::{
        callback::{Callback, Listener},
        consent::{Consent, Returned, pasted},
        page::Page,
    },
    model::failure::{Code, Failure},
};

/// Answers that are not ours before the sign-in is given up: somebody is trying something.
const MOST_FOREIGN: u32 = 20;
/// How long anybody waits.
const PATIENCE: Duration = Duration::from_mins(10);

/// How long the browser has to take its last page.
pub const FAREWELL: Duration = Duration::from_millis(200);

/// Where answers come from.
pub struct Ways {
    /// The browser; without one only what is pasted counts.
    pub listener: Option<Listener>,
    /// Lines that a person pastes.
    pub pasted: Option<mpsc::Receiver<String>>,
}

/// A code, the callback's parameters, and where the browser waits for its page.
pub struct Answer {
    /// The code.
    pub code: String,
    /// All parameters.
    pub callback: Value,
    /// The browser's; none for what was pasted.
    pub page: Option<oneshot::Sender<Page>>,
}

/// What a way brought.
enum Brought {
    Browser(Callback),
    Line(String),
    Late,
}

/// Waits. `tell`: what to say to the person about lines that are no answers.
pub async fn answer(
    consent: &Consent,
    ways: &mut Ways,
    clock: &dyn Clock,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<Answer, Failure> {
    let mut foreign = 0;
    let end = clock.elapsed() + PATIENCE;
    loop {
        let left = end.saturating_sub(clock.elapsed());
        let (params, page) = match next(ways, clock, left).await {
            Brought::Late => {
                return Err(Failure::new(Code::Timeout, "nobody came back from the vendor's page")
                    .with_hint(
                        "begin again; over SSH, paste the URL that the browser ends up at",
                    ));
            }
            Brought::Browser(callback) => (callback.params, Some(callback.page)),
            Brought::Line(line) => match pasted(&line, &consent.redirect_uri) {
                Some(params) => (params, None),
                None => {
                    tell(&format!("this is no URL that begins with {}", consent.redirect_uri));
                    continue;
                }
            },
        };
        let show = |page: Option<oneshot::Sender<Page>>, text: &str| {
            if let Some(page) = page {
                // The browser may be gone.
                let _gone = page.send(Page::failed(text.to_owned()));
            }
        };
        match consent.check(&params, clock.now()) {
            Returned::Code(code, callback) => return Ok(Answer { code, callback, page }),
            Returned::Denied(failure) => {
                show(page, &failure.message);
                clock.sleep(FAREWELL).await;
                return Err(failure);
            }
            Returned::Foreign(text) => {
                tell(&text);
                show(page, &text);
                foreign += 1;
                if foreign >= MOST_FOREIGN {
                    let message = "too many answers that belong to no sign-in of ours";
                    return Err(Failure::new(Code::Unauthorized, message));
                }
            }
        }
    }
}

async fn next(ways: &mut Ways, clock: &dyn Clock, left: Duration) -> Brought {
    let browser = async {
        match &mut ways.listener {
            Some(listener) => listener.next().await,
            None => std::future::pending().await,
        }
    };
    let line = async {
        match &mut ways.pasted {
            Some(lines) => match lines.recv().await {
                Some(line) => line,
                // Standard input has ended; the browser may still come.
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        callback = browser => callback.map_or(Brought::Late, Brought::Browser),
        line = line => Brought::Line(line),
        () = clock.sleep(left) => Brought::Late,
    }
}
