//! What the client reports, in our words. Its own words name the whole URL, ours the host only.

use std::{io, time::Duration};

use url::Url;

use crate::{
    model::{http::Unreadable, proxy::Proxy},
    wire::{error::Error, guard::Refusal, resolver::Unreachable},
};

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

/// Sorts an error of the pooling client before the head is there: by what lies at its root. What
/// is not known to be unsent counts as sent.
pub fn classify(error: &reqwest::Error, url: &Url, connect: Duration) -> Error {
    if let Some(found) = chain(error).find_map(|cause| cause.downcast_ref::<Refusal>()) {
        return refusal(url, *found);
    }
    let unsent = error.is_connect();
    if unsent && error.is_timeout() {
        return Error::Timeout { host: host(url), limit: connect, sent: false };
    }
    if error.is_builder() {
        let reason = reason(error).unwrap_or_else(|| "the client does not accept it".to_owned());
        return Error::Refused { host: host(url), reason };
    }
    if unsent { unconnected(error, url) } else { broken(error, host(url)) }
}

/// There is no connection: nothing was sent.
pub fn unconnected(error: &(dyn std::error::Error + 'static), url: &Url) -> Error {
    let reason = reason(error).unwrap_or_else(|| "the connection failed".to_owned());
    Error::Connect { host: host(url), reason }
}

/// The way to a proxy, and not to the host behind it, is at fault.
pub fn at_proxy(error: Error, proxy: &Proxy) -> Error {
    match error {
        Error::Connect { host, reason } => {
            Error::Connect { host, reason: format!("the proxy `{proxy}`: {reason}") }
        }
        Error::Blocked { address, .. } => Error::Blocked { host: proxy.to_string(), address },
        Error::Timeout { .. }
        | Error::TooLarge { .. }
        | Error::Broken { .. }
        | Error::Refused { .. } => error,
    }
}

/// It was sent, and no whole answer came.
pub fn broken(error: &(dyn std::error::Error + 'static), host: String) -> Error {
    let reason = reason(error).unwrap_or_else(|| "the connection failed".to_owned());
    Error::Broken { host, reason }
}

/// The deepest cause that says something.
fn reason(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    chain(error).filter_map(words).last()
}

/// An error and its causes. An `io::Error` hides what it wraps from `source`.
fn chain<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| {
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        }
    })
}

/// What one link of the chain says, if it is one that we know. The deepest one wins.
fn words(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error @ Unreachable::Unresolved(_)) = cause.downcast_ref() {
        return Some(error.to_string());
    }
    if let Some(error) = cause.downcast_ref::<Unreadable>() {
        return Some(error.to_string());
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls_words(error));
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return hyper_words(error);
    }
    cause.downcast_ref::<io::Error>().and_then(|error| io_words(error.kind())).map(str::to_owned)
}

/// What keeps us from trusting a server, or it from speaking with us.
fn tls_words(error: &rustls::Error) -> String {
    use rustls::{CertificateError as Cert, Error as Tls};
    let known = [
        (
            matches!(error, Tls::InvalidCertificate(Cert::UnknownIssuer)),
            "no authority that is trusted here signed the server's certificate; `--ca-file` \
             (ENGINE_CA_FILE) adds the authority of a company or of a test",
        ),
        (
            matches!(error, Tls::InvalidCertificate(Cert::Expired | Cert::ExpiredContext { .. })),
            "the server's certificate has expired, or the clock of this machine is ahead",
        ),
        (
            matches!(
                error,
                Tls::InvalidCertificate(Cert::NotValidYet | Cert::NotValidYetContext { .. })
            ),
            "the server's certificate is not valid yet, or the clock of this machine is behind",
        ),
        (
            matches!(
                error,
                Tls::InvalidCertificate(
                    Cert::NotValidForName | Cert::NotValidForNameContext { .. }
                )
            ),
            "the server's certificate is for other names than this host",
        ),
        (
            // The verifier's own error, which is of no type that can be named here.
            matches!(error, Tls::InvalidCertificate(Cert::Other(_)))
                && error.to_string().contains("CaUsedAsEndEntity"),
            "the server shows the certificate of an authority as its own, as `openssl req -x509` \
             makes it; it needs one for a server (`basicConstraints=CA:FALSE`), signed by that \
             authority, which `--ca-file` then trusts",
        ),
        (
            matches!(error, Tls::InvalidMessage(_)),
            "what answers there does not speak TLS: is it `http`, or another port?",
        ),
        (
            matches!(error, Tls::PeerIncompatible(_)),
            "the server speaks no version of TLS from 1.2 on, or no cipher that is safe",
        ),
    ];
    match known.iter().find(|(is, _)| *is) {
        Some((_, words)) => format!("TLS failed: {words}"),
        None => format!("TLS failed: {error}"),
    }
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
