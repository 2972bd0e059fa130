//! Tunnels through a proxy (`CONNECT`: RFC 9110, section 9.3.6), and which requests take one.

use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::Host;

use crate::model::proxy::{Proxy, Route};

/// The longest head of a proxy's answer, in bytes.
const MOST: usize = 16 * 1024;

/// Who finds the addresses of names that are reached through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolve {
    /// This machine: the outbound policy judges them here.
    #[default]
    Local,
    /// The proxy, which then is what decides where requests go.
    Remote,
}

/// Hosts that are reached without the proxy of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exception {
    /// All.
    Any,
    /// This name and all below it.
    Name(String),
    /// Addresses, where a URL has one.
    Range(IpNet),
}

/// The way out.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// Unless an integration has a route of its own.
    pub proxy: Option<Arc<Proxy>>,
    /// Not for these.
    pub exceptions: Vec<Exception>,
    /// Who finds addresses.
    pub resolve: Resolve,
}

impl Exception {
    /// Reads `internal.example`, `.internal.example`, `10.0.0.0/8`, `10.1.2.3`, `*`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let address = || text.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(IpNet::from);
        if let Some(range) = text.parse::<IpNet>().ok().or_else(address) {
            return Some(Self::Range(range));
        }
        match Host::parse(text.trim_start_matches('.')) {
            Ok(Host::Domain(name)) => Some(Self::Name(name)),
            Ok(Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => None,
        }
    }

    fn covers(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Name(name), Host::Domain(host)) => {
                let above = host.strip_suffix(name.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Self::Range(range), Host::Ipv4(address)) => range.contains(&IpAddr::V4(*address)),
            (Self::Range(range), Host::Ipv6(address)) => range.contains(&IpAddr::V6(*address)),
            (Self::Name(_), Host::Ipv4(_) | Host::Ipv6(_)) | (Self::Range(_), Host::Domain(_)) => {
                false
            }
        }
    }
}

impl ProxySettings {
    /// The proxy of a request: its own route, else that of the settings.
    pub fn of(&self, host: &Host<String>, own: Option<&Route>) -> Option<Arc<Proxy>> {
        match own {
            Some(Route::Direct) => None,
            Some(Route::Through(proxy)) => Some(Arc::clone(proxy)),
            None => {
                let excepted = self.exceptions.iter().any(|exception| exception.covers(host));
                self.proxy.clone().filter(|_| !excepted)
            }
        }
    }
}

/// Asks a proxy for a tunnel to `target`, a host and a port. The error is in our words.
pub async fn tunnel(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    target: &str,
) -> Result<(), String> {
    let broke = |_| format!("the proxy `{proxy}` closed the connection");
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        head.extend_from_slice(b"proxy-authorization: ");
        head.extend_from_slice(authorization.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    io.write_all(&head).await.map_err(broke)?;
    io.flush().await.map_err(broke)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MOST {
            return Err(format!("the proxy `{proxy}` does not come to the end of its answer"));
        }
        // One at a time: what follows belongs to the server behind it.
        answer.push(io.read_u8().await.map_err(broke)?);
    }
    let line = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or(&[]));
    let mut words = line.split_ascii_whitespace();
    let http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = words.next().and_then(|status| status.parse::<u16>().ok()).filter(|_| http);
    match status {
        Some(200..=299) => Ok(()),
        Some(407) if proxy.authorization.is_some() => {
            Err(format!("the proxy `{proxy}` refuses its user and password (407)"))
        }
        Some(407) => Err(format!("the proxy `{proxy}` wants a user and a password (407)")),
        Some(status) => Err(format!("the proxy `{proxy}` refuses the tunnel ({status})")),
        None => Err(format!("what is at `{proxy}` is not an HTTP proxy")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_names_with_all_below_them_and_addresses() {
        let exceptions = ["internal.test", ".corp.test", "10.0.0.0/8", "::1"]
            .map(|text| Exception::parse(text).unwrap());
        let proxy = Arc::new(Proxy::parse("http://proxy.test:1").unwrap());
        let settings = ProxySettings {
            proxy: Some(Arc::clone(&proxy)),
            exceptions: exceptions.into(),
            resolve: Resolve::Local,
        };
        for (host, through) in [
            ("internal.test", false),
            ("a.b.internal.test", false),
            ("notinternal.test", true),
            ("x.corp.test", false),
            ("10.1.2.3", false),
            ("11.1.2.3", true),
            ("[::1]", false),
            ("api.test", true),
        ] {
            let host = Host::parse(host).unwrap();
            assert_eq!(settings.of(&host, None).is_some(), through, "{host}");
            assert_eq!(settings.of(&host, Some(&Route::Direct)), None);
            let own = Route::Through(Arc::clone(&proxy));
            assert_eq!(settings.of(&host, Some(&own)), Some(Arc::clone(&proxy)));
        }
        assert_eq!(Exception::parse("*"), Some(Exception::Any));
        assert_eq!(Exception::parse("a b"), None);
    }

    /// What comes of an answer, and what was asked.
    async fn ask(answer: &'static [u8], proxy: &str) -> (Result<(), String>, String) {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let proxy = Proxy::parse(proxy).unwrap();
        let asked = async {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                seen.push(theirs.read_u8().await.unwrap());
            }
            theirs.write_all(answer).await.unwrap();
            drop(theirs);
            String::from_utf8(seen).unwrap()
        };
        tokio::join!(tunnel(&mut ours, &proxy, "api.test:443"), asked)
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_and_refusals_are_told_in_words() {
        let (made, asked) = ask(b"HTTP/1.1 200 OK\r\n\r\n", "http://me:secret@p:1").await;
        assert_eq!(made, Ok(()));
        let expected = "CONNECT api.test:443 HTTP/1.1\r\nhost: api.test:443\r\n\
            proxy-authorization: Basic bWU6c2VjcmV0\r\n\r\n";
        assert_eq!(asked, expected);
        for (answer, proxy, words) in [
            (&b"HTTP/1.1 407 No\r\n\r\n"[..], "http://p:1", "wants a user"),
            (b"HTTP/1.1 407 No\r\n\r\n", "http://me:secret@p:1", "refuses its user"),
            (b"HTTP/1.0 403 No\r\nx: y\r\n\r\n", "http://p:1", "refuses the tunnel (403)"),
            (b"SSH-2.0\r\n\r\n", "http://p:1", "not an HTTP proxy"),
            (b"HTTP/1.1 200 OK\r\n", "http://p:1", "closed the connection"),
        ] {
            let refused = ask(answer, proxy).await.0.unwrap_err();
            assert!(refused.contains(words) && !refused.contains("secret"), "{refused}");
        }
    }
}
