//! What the client reports, in our words. Its own words name the whole URL, ours the host only.

use std::{error::Error as _, io, time::Duration};

use url::Url;

use crate::wire::{guard::Refusal, port::Error, resolver::Unresolved};

/// The time limits of a client, to say which one ended an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the connection stands, name resolution and TLS included.
    pub connect: Duration,
    /// Between two reads.
    pub read: Duration,
}

/// The host and port of a URL, for messages.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("-");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Why the outbound policy stops a request to `url`.
pub fn refusal(url: &Url, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Closed(address) => {
            Error::Blocked { host: host(url), address: address.to_string() }
        }
        Refusal::Plain(address) => Error::Refused {
            host: host(url),
            reason: format!(
                "plain `http` goes only to ranges that were opened, and {address} is in none"
            ),
        },
    }
}

/// Sorts an error of the client: by what lies at its root, as a body cut short is reported as one
/// that cannot be decoded. What is not known to be unsent counts as sent.
pub fn classify(error: &reqwest::Error, url: &Url, limits: Limits) -> Error {
    let mut reason = None;
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(found) = cause.downcast_ref::<Refusal>() {
            return refusal(url, *found);
        }
        reason = words(cause).or(reason);
        // An `io::Error` hides what it wraps from `source`.
        source = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    let host = host(url);
    if error.is_builder() {
        let reason = reason.unwrap_or_else(|| "the client does not accept it".to_owned());
        return Error::Refused { host, reason };
    }
    let unsent = error.is_connect();
    if error.is_timeout() {
        let limit = if unsent { limits.connect } else { limits.read };
        return Error::Timeout { host, limit, sent: !unsent };
    }
    let reason = reason.unwrap_or_else(|| "the connection failed".to_owned());
    if unsent { Error::Connect { host, reason } } else { Error::Broken { host, reason } }
}

/// What one link of the chain says, if it is one that we know. The deepest one wins.
fn words(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if cause.is::<Unresolved>() {
        return Some(Unresolved.to_string());
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(format!("TLS failed: {error}"));
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return hyper_words(error);
    }
    cause.downcast_ref::<io::Error>().and_then(|error| io_words(error.kind())).map(str::to_owned)
}

fn hyper_words(error: &hyper::Error) -> Option<String> {
    let text = if error.is_incomplete_message() {
        "the connection was closed in the middle of the answer"
    } else if error.is_parse_too_large() {
        "the head of the answer is too large"
    } else if error.is_parse() {
        "the answer is not HTTP"
    } else if error.is_closed() || error.is_canceled() {
        "the connection was closed"
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// Only kinds that say something; [`io::ErrorKind`] is open-ended.
fn io_words(kind: io::ErrorKind) -> Option<&'static str> {
    const KNOWN: [(io::ErrorKind, &str); 10] = [
        (io::ErrorKind::ConnectionRefused, "connection refused"),
        (io::ErrorKind::ConnectionReset, "the connection was reset"),
        (io::ErrorKind::ConnectionAborted, "the connection was aborted"),
        (io::ErrorKind::BrokenPipe, "the connection was closed"),
        (io::ErrorKind::HostUnreachable, "the host cannot be reached"),
        (io::ErrorKind::NetworkUnreachable, "the network cannot be reached"),
        (io::ErrorKind::NetworkDown, "the network is down"),
        (io::ErrorKind::UnexpectedEof, "the answer ends too early"),
        (io::ErrorKind::InvalidData, "the body cannot be decoded"),
        (io::ErrorKind::InvalidInput, "the body cannot be decoded"),
    ];
    KNOWN.iter().find(|(known, _)| *known == kind).map(|(_, words)| *words)
}
