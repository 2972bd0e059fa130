//! The way to a server: its name, its addresses under the outbound policy, TCP, TLS.

use std::{
    io::{self, ErrorKind},
    mem::MaybeUninit,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use ipnet::IpNet;
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, ServerName},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::{
    model::proxy::{Proxy, Route},
    wire::{
        error::Error,
        failure,
        guard::{self, Transport},
        proxy::{self, ProxySettings, Resolve},
        resolver::{self, Unreachable},
        tls,
    },
};

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// By the scheme.
    pub transport: Transport,
    /// A name or an address.
    pub host: Host<String>,
    /// With the scheme's own filled in.
    pub port: u16,
    /// What makes a tunnel to it.
    pub proxy: Option<Arc<Proxy>>,
}

impl Origin {
    /// Of a URL, if it is one of HTTP; without a proxy.
    fn of(url: &Url) -> Result<Self, Error> {
        let refused = |reason| Error::Refused { host: failure::host(url), reason };
        let transport = match url.scheme() {
            "https" => Transport::Secure,
            "http" => Transport::Plain,
            scheme => return Err(refused(format!("`{scheme}` is neither `https` nor `http`"))),
        };
        match (url.host(), url.port_or_known_default()) {
            (Some(host), Some(port)) => {
                Ok(Self { transport, host: host.to_owned(), port, proxy: None })
            }
            _ => Err(refused("the URL names no host".to_owned())),
        }
    }

    /// The address, where the URL has one instead of a name.
    fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }
}

/// Where connections may go, and which way.
pub struct Outbound {
    /// The ranges that the operator opened.
    pub opened: Arc<[IpNet]>,
    /// Which of them take a tunnel.
    pub proxy: ProxySettings,
}

/// Makes connections, and holds what all of them share.
pub struct Dialer {
    outbound: Outbound,
    authorities: Vec<CertificateDer<'static>>,
    limit: Duration,
    tls: OnceLock<Result<ClientConfig, String>>,
}

/// A connection that nothing was sent on yet.
pub struct Dialed {
    /// To be read and written.
    pub io: Box<dyn Io>,
    /// Looks at its socket from outside.
    pub probe: Probe,
    /// Whether HTTP/2 was agreed on.
    pub many: bool,
}

/// What bytes go through.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Dialer {
    /// `authorities`: beside the roots of Mozilla; `limit`: until a connection stands, name
    /// resolution, tunnel and TLS included.
    pub fn new(
        outbound: Outbound,
        authorities: Vec<CertificateDer<'static>>,
        limit: Duration,
    ) -> Self {
        Self { outbound, authorities, limit, tls: OnceLock::new() }
    }

    /// The ranges that the operator opened.
    pub fn opened(&self) -> &Arc<[IpNet]> {
        &self.outbound.opened
    }

    /// The way to a URL; `route` goes before that of the settings.
    pub fn origin(&self, url: &Url, route: Option<&Route>) -> Result<Origin, Error> {
        let mut origin = Origin::of(url)?;
        origin.proxy = self.outbound.proxy.of(&origin.host, route);
        Ok(origin)
    }

    /// Until a connection stands.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Refuses address literals that are closed. Names are judged when they are resolved.
    pub fn judge(&self, url: &Url, origin: &Origin) -> Result<(), Error> {
        let Some(address) = origin.literal() else { return Ok(()) };
        guard::judge(address, origin.transport, &self.outbound.opened)
            .map_err(|refusal| failure::refusal(url, refusal))
    }

    /// The one TLS configuration of all clients; made when it is first needed.
    pub fn tls(&self) -> Result<&ClientConfig, String> {
        let made = self.tls.get_or_init(|| {
            tls::trusting(&self.authorities)
                .map_err(|error| format!("TLS cannot be set up: {error}"))
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// A new connection to the origin of `url`. `upgrade`: one that can be handed over, which is
    /// never HTTP/2.
    pub async fn dial(&self, url: &Url, origin: &Origin, upgrade: bool) -> Result<Dialed, Error> {
        timeout(self.limit, self.connect(url, origin, upgrade)).await.unwrap_or_else(|_| {
            Err(Error::Timeout { host: failure::host(url), limit: self.limit, sent: false })
        })
    }

    /// The addresses of a host, all of which the outbound policy admits.
    async fn addresses(
        &self,
        url: &Url,
        host: &Host<String>,
        transport: Transport,
    ) -> Result<Vec<IpAddr>, Error> {
        let refused = |refusal| failure::refusal(url, refusal);
        let literal = match host {
            Host::Ipv4(address) => IpAddr::V4(*address),
            Host::Ipv6(address) => IpAddr::V6(*address),
            Host::Domain(name) => {
                let found = resolver::addresses(name, transport, &self.outbound.opened).await;
                let found = found.map_err(|error| match error {
                    Unreachable::Refused(refusal) => refused(refusal),
                    error @ Unreachable::Unresolved(_) => failure::unconnected(&error, url),
                })?;
                return Ok(found.into_iter().map(|address| address.ip()).collect());
            }
        };
        guard::judge(literal, transport, &self.outbound.opened).map_err(refused)?;
        Ok(vec![literal])
    }

    /// A connection to the first of these that takes one.
    async fn tcp(&self, addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
        // One address that swallows everything leaves time for the others.
        let share = self.limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut found = Err(io::Error::from(ErrorKind::AddrNotAvailable));
        for address in addresses {
            found = timeout(share, TcpStream::connect(SocketAddr::new(*address, port)))
                .await
                .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
            if found.is_ok() {
                break;
            }
        }
        found
    }

    /// A tunnel through a proxy. Names are resolved here unless the settings leave that to the proxy:
    /// then nobody judges where they lead, and nothing goes to them in the clear.
    async fn tunnel(&self, url: &Url, origin: &Origin, proxy: &Proxy) -> Result<TcpStream, Error> {
        let Outbound { proxy: settings, .. } = &self.outbound;
        let Origin { host, port, transport, .. } = origin;
        let remote = settings.resolve == Resolve::Remote && matches!(host, Host::Domain(_));
        if remote && *transport == Transport::Plain {
            return Err(Error::Refused {
                host: failure::host(url),
                reason: "with `--proxy-resolve remote` nobody here knows where `http` would go"
                    .to_owned(),
            });
        }
        let targets = if remote {
            vec![format!("{host}:{port}")]
        } else {
            let found = self.addresses(url, host, *transport).await?;
            found.iter().map(|address| SocketAddr::new(*address, *port).to_string()).collect()
        };
        let mut reason = String::new();
        for target in targets {
            let mut stream = self.to_proxy(url, proxy).await?;
            match proxy::tunnel(&mut stream, proxy, &target).await {
                Ok(()) => return Ok(stream),
                Err(words) => reason = words,
            }
        }
        Err(Error::Connect { host: failure::host(url), reason })
    }

    /// The operator's own proxy may be anywhere; one that a file names is where others may go.
    async fn to_proxy(&self, url: &Url, proxy: &Proxy) -> Result<TcpStream, Error> {
        let own = self.outbound.proxy.proxy.as_deref() == Some(proxy);
        let found = match (&proxy.host, own) {
            (Host::Domain(name), true) => {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await;
                found.map(|found| found.map(|address| address.ip()).collect())
            }
            (Host::Ipv4(address), true) => Ok(vec![IpAddr::V4(*address)]),
            (Host::Ipv6(address), true) => Ok(vec![IpAddr::V6(*address)]),
            (host, false) => {
                let found = self.addresses(url, host, Transport::Secure).await;
                Ok(found.map_err(|error| failure::at_proxy(error, proxy))?)
            }
        };
        let stream = match found {
            Ok(found) => self.tcp(&found, proxy.port).await,
            Err(error) => Err(error),
        };
        stream.map_err(|error| failure::at_proxy(failure::unconnected(&error, url), proxy))
    }

    async fn connect(&self, url: &Url, origin: &Origin, upgrade: bool) -> Result<Dialed, Error> {
        let stream = match &origin.proxy {
            None => {
                let found = self.addresses(url, &origin.host, origin.transport).await?;
                let found = self.tcp(&found, origin.port).await;
                found.map_err(|error| failure::unconnected(&error, url))?
            }
            Some(proxy) => self.tunnel(url, origin, proxy).await?,
        };
        let stream = Arc::new(stream);
        // A small request does not wait for the acknowledgement of the last one.
        let _set = stream.set_nodelay(true);
        let probe = Probe(Arc::downgrade(&stream));
        let socket = Socket(stream);
        if origin.transport == Transport::Plain {
            return Ok(Dialed { io: Box::new(socket), probe, many: false });
        }
        let refused = |reason| Error::Refused { host: failure::host(url), reason };
        let mut config = self.tls().map_err(refused)?.clone();
        if upgrade {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name)
            .map_err(|_| refused("the host cannot stand in a certificate".to_owned()))?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector
            .connect(name, socket)
            .await
            .map_err(|error| failure::unconnected(&error, url))?;
        let many = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialed { io: Box::new(stream), probe, many })
    }
}

/// Looks at a socket that something else reads.
#[derive(Debug, Clone)]
pub struct Probe(Weak<TcpStream>);

impl Probe {
    /// Whether nothing came in: no data, no end, no error. Asks the system, as what the runtime
    /// knows may be a moment old.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let Some(socket) = self.0.upgrade() else { return false };
        let seen = SockRef::from(&*socket).peek(&mut byte);
        seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// A TCP connection that is shared with its [`Probe`].
struct Socket(Arc<TcpStream>);

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read_buf(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(std::net::Shutdown::Write))
    }
}
