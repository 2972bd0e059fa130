//! What is counted of the requests to this process, in the text format of Prometheus (version 0.0.4).
//! No label names a person, a connection or a key.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::model::http::Method;

/// Methods that have a label of their own: whoever asks could make up any number of them.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Of requests that found no row.
pub const NO_ROUTE: &str = "none";

/// What is counted of the requests to this process.
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<Labels, Counted>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Default)]
struct Counted {
    requests: u64,
    /// Until their heads were there.
    took: Duration,
}

impl Counts {
    /// One more request was answered.
    pub fn count(&self, route: &'static str, method: &Method, answered: (u16, Duration)) {
        let known = METHODS.into_iter().find(|known| *known == method.as_str());
        let (status, took) = answered;
        let labels = Labels { route, method: known.unwrap_or("OTHER"), status };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.entry(labels).or_default();
        counted.requests += 1;
        counted.took += took;
    }

    /// Adds them to a text.
    pub fn write(&self, out: &mut String) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut family = |name: &str, help: &str, value: &dyn Fn(&Counted) -> String| {
            head(out, (name, "counter"), help);
            for (Labels { route, method, status }, counted) in &*all {
                let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
                let _never = writeln!(out, "{name}{{{labels}}} {}", value(counted));
            }
        };
        let requests = "Requests that were answered.";
        family("engine_requests_total", requests, &|counted| counted.requests.to_string());
        let seconds = "Time until the heads of their answers were there.";
        family("engine_request_seconds_total", seconds, &|counted| {
            counted.took.as_secs_f64().to_string()
        });
    }
}

fn head(out: &mut String, (name, kind): (&str, &str), help: &str) {
    let _never = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Adds a figure that goes up and down.
pub fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    head(out, (name, "gauge"), help);
    let _never = writeln!(out, "{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let counts = Counts::default();
        let half = Duration::from_millis(500);
        for method in [Method::GET, Method::GET, "BREW".parse().unwrap()] {
            counts.count("/runs/{id}", &method, (200, half));
        }
        let mut out = String::new();
        counts.write(&mut out);
        for line in [
            "# TYPE engine_requests_total counter",
            "engine_requests_total{route=\"/runs/{id}\",method=\"GET\",status=\"200\"} 2",
            "engine_requests_total{route=\"/runs/{id}\",method=\"OTHER\",status=\"200\"} 1",
            "engine_request_seconds_total{route=\"/runs/{id}\",method=\"GET\",status=\"200\"} 1",
        ] {
            assert!(out.lines().any(|found| found == line), "{line}\n{out}");
        }
    }
}
