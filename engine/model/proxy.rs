//! A proxy that connections go through.

use std::{fmt, sync::Arc};

use ::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// One that makes tunnels (`CONNECT`: RFC 9110, section 9.3.6). Prints without its credentials.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    /// A name or an address.
    pub host: Host<String>,
    /// The port.
    pub port: u16,
    /// `Proxy-Authorization`; sensitive.
    pub authorization: Option<HeaderValue>,
}

/// Which way an API is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Through no proxy, whatever the settings say.
    Direct,
    /// Through this one.
    Through(Arc<Proxy>),
}

/// What is not the URL of a proxy. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a proxy is `http://[user:password@]host:port`")]
pub struct NotAProxy;

impl Proxy {
    /// Reads `http://user:password@proxy.example:3128`.
    pub fn parse(text: &str) -> Result<Self, NotAProxy> {
        let url = Url::parse(text.trim()).map_err(|_| NotAProxy)?;
        let rest = url.path().trim_matches('/').is_empty() && url.query().is_none();
        if url.scheme() != "http" || !rest || url.fragment().is_some() {
            return Err(NotAProxy);
        }
        let host = url.host().ok_or(NotAProxy)?.to_owned();
        let port = url.port_or_known_default().ok_or(NotAProxy)?;
        let plain = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let authorization = if url.username().is_empty() && url.password().is_none() {
            None
        } else {
            let (user, password) = (plain(url.username()), plain(url.password().unwrap_or("")));
            let pair = STANDARD.encode([&user[..], b":", &password].concat());
            let mut value =
                HeaderValue::try_from(format!("Basic {pair}")).map_err(|_| NotAProxy)?;
            value.set_sensitive(true);
            Some(value)
        };
        Ok(Self { host, port, authorization })
    }
}

impl Route {
    /// Reads the URL of a proxy, or `none`.
    pub fn parse(text: &str) -> Result<Self, NotAProxy> {
        if text.trim() == "none" {
            return Ok(Self::Direct);
        }
        Proxy::parse(text).map(|proxy| Self::Through(Arc::new(proxy)))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_a_port_and_maybe_a_user() {
        for (text, shown, authorization) in [
            ("http://proxy.test:3128", "proxy.test:3128", None),
            ("http://proxy.test/", "proxy.test:80", None),
            ("http://[::1]:8080", "[::1]:8080", None),
            ("http://me:p%40ss@proxy.test:1", "proxy.test:1", Some("Basic bWU6cEBzcw==")),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert!(!format!("{proxy:?}").contains("ss"), "{proxy:?}");
            let found = proxy.authorization.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(found, authorization, "{text}");
        }
        for text in
            ["", "proxy.test:3128", "socks5://p:1", "https://p:1", "http://p:1/x", "http://p?x"]
        {
            assert_eq!(Proxy::parse(text), Err(NotAProxy), "{text}");
        }
        assert_eq!(Route::parse("none"), Ok(Route::Direct));
    }
}
