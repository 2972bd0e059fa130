//! A peer that follows the script of a test: each exchange once, in any order.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;

use crate::{
    model::{
        http::{Authorized, Fields, Request, Response},
        test::{Exchange, ExpectedBody, Reply},
    },
    suite::compare,
    wire::{Answer, Error, Wire, port},
};

/// The script, and how far it got.
pub struct ScriptedWire {
    exchanges: Arc<[Exchange]>,
    base: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: Vec<bool>,
    same: HashMap<String, String>,
    problems: Vec<String>,
}

impl ScriptedWire {
    /// The exchanges of a test; `base` is the base URL, without a trailing slash.
    pub fn new(exchanges: Arc<[Exchange]>, base: &str) -> Self {
        let state = State { used: vec![false; exchanges.len()], ..State::default() };
        Self { exchanges, base: base.trim_end_matches('/').to_owned(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that did not go by the script.
    pub fn problems(&self) -> Vec<String> {
        let state = self.state();
        let unused = self.exchanges.iter().zip(&state.used).filter(|(_, used)| !**used);
        let unused = unused.map(|(exchange, _)| {
            format!(
                "never asked for: {} {} (line {})",
                exchange.method, exchange.target, exchange.line
            )
        });
        state.problems.iter().cloned().chain(unused).collect()
    }

    fn answer(&self, request: &Request) -> Result<Response, Error> {
        let mut state = self.state();
        let mut reasons = Vec::new();
        for (index, exchange) in self.exchanges.iter().enumerate() {
            if state.used.get(index).copied().unwrap_or(true) || !self.aims_at(exchange, request) {
                continue;
            }
            match mismatch(exchange, request, &mut state.same) {
                None => {
                    if let Some(used) = state.used.get_mut(index) {
                        *used = true;
                    }
                    return reply(&exchange.reply, request);
                }
                Some(reason) => reasons.push(reason),
            }
        }
        let shown = self.shown(request);
        let because =
            if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
        state.problems.push(format!("unexpected request {} {shown}{because}", request.method));
        Err(Error::Refused {
            host: "the test".to_owned(),
            reason: "it does not expect this request".to_owned(),
        })
    }

    /// Relative to the base URL, or whole.
    fn shown(&self, request: &Request) -> String {
        let url = request.url.as_str();
        match url.strip_prefix(&self.base).filter(|rest| rest.starts_with('/')) {
            Some(path) => path.to_owned(),
            None => url.to_owned(),
        }
    }

    fn aims_at(&self, exchange: &Exchange, request: &Request) -> bool {
        let url = request.url.as_str();
        exchange.method == request.method
            && (exchange.target == url || exchange.target == self.shown(request))
    }
}

impl Wire for ScriptedWire {
    fn send<'a>(&'a self, request: &'a Authorized) -> port::Exchange<'a> {
        Box::pin(std::future::ready(self.answer(request.open()).map(Answer::whole)))
    }
}

/// Why an exchange is not for a request, if so.
fn mismatch(
    exchange: &Exchange,
    request: &Request,
    same: &mut HashMap<String, String>,
) -> Option<String> {
    for (name, expected) in &exchange.headers {
        let found = request.headers.text(name);
        let fits = match (expected.as_str(), found.as_deref()) {
            ("$same", Some(found)) => {
                *same.entry(name.to_string()).or_insert_with(|| found.to_owned()) == found
            }
            ("$absent", found) => found.is_none(),
            (expected, found) => Some(expected) == found,
        };
        if !fits {
            return Some(format!("header `{name}` is {}", found.unwrap_or("absent".into())));
        }
    }
    let body = request.body.held().unwrap_or_default();
    let text = || String::from_utf8_lossy(&body).into_owned();
    let json = || serde_json::from_str::<Value>(&text()).unwrap_or(Value::Null);
    let fits = match &exchange.body {
        ExpectedBody::Any => true,
        ExpectedBody::Json(expected) => compare::equal(expected, &json()),
        ExpectedBody::Contains(expected) => compare::contains(expected, &json()),
        ExpectedBody::Form(expected) | ExpectedBody::Text(expected) => *expected == text(),
    };
    (!fits).then(|| format!("its body is {}", text()))
}

fn reply(reply: &Reply, request: &Request) -> Result<Response, Error> {
    match reply {
        Reply::Answer { status, headers, body } => {
            Ok(Response { status: *status, headers: headers.clone(), body: body.clone() })
        }
        Reply::FailConnect => {
            Err(Error::Connect { host: host(request), reason: "the test says so".to_owned() })
        }
        Reply::FailTimeout => {
            let limit = request.timeout.unwrap_or(Duration::from_mins(1));
            Err(Error::Timeout { host: host(request), limit, sent: true })
        }
    }
}

fn host(request: &Request) -> String {
    request.url.host_str().unwrap_or_default().to_owned()
}
