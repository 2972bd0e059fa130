//! `Live`: the network as it is.

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use reqwest::{
    Body, Client,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use rustls::{ClientConfig, pki_types::CertificateDer};
use url::{Host, Url};

use crate::{
    diagnostic::Explain,
    model::http::{Authorized, Headers, Method, Request, Response},
    wire::{
        failure::{self, Limits},
        guard::{self, Transport},
        port::{Error, Exchange, Wire},
        redirect,
        resolver::Guarded,
        tls,
    },
};

/// How to reach the network.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Ranges that may be called although they are closed, and over plain http.
    pub allow: Vec<IpNet>,
    /// PEM file of further authorities.
    pub ca_file: Option<PathBuf>,
    /// Until a connection stands, name resolution and TLS included.
    pub connect_timeout: Duration,
    /// The longest silence while an answer is awaited or read.
    pub read_timeout: Duration,
    /// Sent unless a request has its own.
    pub user_agent: String,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ca_file: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_mins(1),
            user_agent: concat!("engine/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The file of authorities.
    #[error("the file of certificate authorities cannot be used: {reason}")]
    Authorities {
        /// In our words, with the path.
        reason: String,
    },
    /// The user agent.
    #[error("the user agent cannot be sent in a header")]
    UserAgent,
}

impl Explain for SetupError {
    fn code(&self) -> &'static str {
        match self {
            Self::Authorities { .. } => "wire.authorities",
            Self::UserAgent => "wire.user-agent",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Authorities { .. } => {
                "ENGINE_CA_FILE takes a file of PEM certificates".to_owned()
            }
            Self::UserAgent => "use visible ASCII characters".to_owned(),
        })
    }
}

/// The network. Clients are made when they are first needed: who speaks only to the sandbox never
/// pays for TLS roots.
#[derive(Debug)]
pub struct Live {
    opened: Arc<[IpNet]>,
    authorities: Vec<CertificateDer<'static>>,
    limits: Limits,
    user_agent: HeaderValue,
    plain: OnceLock<Result<Client, String>>,
    secure: OnceLock<Result<Client, String>>,
}

impl Live {
    /// Reads the file of authorities, if there is one. Opens no connection.
    pub fn new(settings: LiveSettings) -> Result<Self, SetupError> {
        let LiveSettings { allow, ca_file, connect_timeout, read_timeout, user_agent } = settings;
        let authorities = match ca_file {
            Some(path) => {
                tls::authorities(&path).map_err(|reason| SetupError::Authorities { reason })?
            }
            None => Vec::new(),
        };
        Ok(Self {
            opened: allow.into(),
            authorities,
            limits: Limits { connect: connect_timeout, read: read_timeout },
            user_agent: HeaderValue::from_str(&user_agent).map_err(|_| SetupError::UserAgent)?,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
        })
    }

    fn client(&self, transport: Transport) -> Result<&Client, String> {
        let made = match transport {
            Transport::Plain => {
                self.plain.get_or_init(|| self.build(transport, tls::distrusting()))
            }
            Transport::Secure => {
                self.secure.get_or_init(|| self.build(transport, tls::trusting(&self.authorities)))
            }
        };
        made.as_ref().map_err(Clone::clone)
    }

    fn build(
        &self,
        transport: Transport,
        tls: Result<ClientConfig, rustls::Error>,
    ) -> Result<Client, String> {
        let tls = tls.map_err(|error| format!("TLS cannot be set up: {error}"))?;
        Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Guarded { transport, opened: Arc::clone(&self.opened) })
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(self.user_agent.clone())
            .connect_timeout(self.limits.connect)
            .read_timeout(self.limits.read)
            .build()
            .map_err(|_| "the client cannot be set up".to_owned())
    }

    async fn exchange(&self, request: &Request) -> Result<Response, Error> {
        let mut url = request.url.clone();
        for _ in 0..redirect::MOST {
            let response = self.one(request, &url).await?;
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let status = response.status().as_u16();
            match location.and_then(|to| redirect::target(request.method, &url, (status, to))) {
                // Going where we are is a circle already; longer ones end with the count.
                Some(next) if next != url => url = next,
                Some(_) | None => return self.collect(request, &url, response).await,
            }
        }
        let last = self.one(request, &url).await?;
        self.collect(request, &url, last).await
    }

    /// Sends, and waits for the head of the answer.
    async fn one(&self, request: &Request, url: &Url) -> Result<reqwest::Response, Error> {
        let refused = |reason| Error::Refused { host: failure::host(url), reason };
        let transport = match url.scheme() {
            "https" => Transport::Secure,
            "http" => Transport::Plain,
            scheme => return Err(refused(format!("`{scheme}` is neither `https` nor `http`"))),
        };
        // Names are judged by the resolver, which literals never reach.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        };
        if let Some(address) = literal {
            guard::judge(address, transport, &self.opened)
                .map_err(|refusal| failure::refusal(url, refusal))?;
        }
        let headers = header_map(request)?;
        let client = self.client(transport).map_err(refused)?;
        let mut outgoing = reqwest::Request::new(method(request.method), url.clone());
        *outgoing.headers_mut() = headers;
        *outgoing.body_mut() = request.body.clone().map(Body::from);
        client.execute(outgoing).await.map_err(|error| failure::classify(&error, url, self.limits))
    }

    /// Reads the body up to the cap. An answer of one piece is not copied.
    async fn collect(
        &self,
        request: &Request,
        url: &Url,
        mut response: reqwest::Response,
    ) -> Result<Response, Error> {
        let limit = request.max_response;
        let too_large = || Error::TooLarge { host: failure::host(url), limit };
        let fits = |size: usize| u64::try_from(size).is_ok_and(|size| size <= limit);
        // Without the length that is announced, or with a body that is decoded, the pieces count.
        let announced = response.content_length();
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let status = response.status().as_u16();
        let headers = fields(response.headers());
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        loop {
            let next = response.chunk().await;
            let next = next.map_err(|error| failure::classify(&error, url, self.limits))?;
            let Some(chunk) = next else { break };
            if !fits(first.len().saturating_add(rest.len()).saturating_add(chunk.len())) {
                return Err(too_large());
            }
            if first.is_empty() && rest.is_empty() {
                first = chunk;
                continue;
            }
            if rest.is_empty() {
                let whole = announced.and_then(|length| usize::try_from(length).ok());
                rest.reserve(whole.unwrap_or(0).max(first.len() + chunk.len()));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&chunk);
        }
        let body = if rest.is_empty() { first } else { rest.freeze() };
        Ok(Response { status, headers, body })
    }
}

impl Wire for Live {
    fn send<'a>(&'a self, request: &'a Authorized) -> Exchange<'a> {
        let request = request.open();
        Box::pin(async move {
            let Some(limit) = request.timeout else { return self.exchange(request).await };
            // Where it stood when the time was up is not known: it may have been sent.
            tokio::time::timeout(limit, self.exchange(request)).await.unwrap_or_else(|_| {
                Err(Error::Timeout { host: failure::host(&request.url), limit, sent: true })
            })
        })
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Options => reqwest::Method::OPTIONS,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// Values count as sensitive, so that neither `Debug` nor header compression gets hold of them.
fn header_map(request: &Request) -> Result<HeaderMap, Error> {
    let mut map = HeaderMap::with_capacity(request.headers.len());
    for (name, value) in request.headers.iter() {
        let refused = |what| Error::Refused {
            host: failure::host(&request.url),
            reason: format!("HTTP allows no such {what} of the header `{}`", name.escape_debug()),
        };
        let field = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused("name"))?;
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused("value"))?;
        value.set_sensitive(field != CONTENT_TYPE && field != reqwest::header::ACCEPT);
        map.append(field, value);
    }
    Ok(map)
}

fn fields(map: &HeaderMap) -> Headers {
    map.iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect()
}
