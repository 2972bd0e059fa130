//! A server behind TLS: HTTP/1.1 or HTTP/2, with a certificate of an authority for tests.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;

/// The authority that signed the certificate, as a file of PEM.
pub fn authority() -> PathBuf {
    folder().join("authority.pem")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls")
}

/// What the server agrees on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1
    One,
    /// HTTP/2
    Two,
}

/// See the module. Every answer is `ok`.
pub struct TlsPeer {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    connections: AtomicUsize,
    requests: AtomicUsize,
    /// Of requests on one connection; then it is closed behind the answer.
    most: usize,
    /// Ends all connections.
    end: Notify,
}

impl TlsPeer {
    /// Closes a connection behind its `most`-th answer, without a word about it.
    pub async fn start(protocol: Protocol, most: usize) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(folder().join("server.pem")).unwrap()],
                PrivateKeyDer::from_pem_file(folder().join("server.key")).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![match protocol {
            Protocol::One => b"http/1.1".to_vec(),
            Protocol::Two => b"h2".to_vec(),
        }];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { most, ..State::default() });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&shared));
                state.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(converse(stream, acceptor, protocol, state));
            }
        });
        Self { address, state }
    }

    /// How many connections and requests there were.
    pub fn counts(&self) -> (usize, usize) {
        let State { connections, requests, .. } = &*self.state;
        (connections.load(Ordering::Relaxed), requests.load(Ordering::Relaxed))
    }

    /// Ends all connections.
    pub fn end(&self) {
        self.state.end.notify_waiters();
    }
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, protocol: Protocol, state: Arc<State>) {
    let ended = Arc::clone(&state);
    let end = ended.end.notified();
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let io = TokioIo::new(stream);
    let served = Arc::new(AtomicUsize::new(0));
    let full = Arc::new(Notify::new());
    let answers = service_fn(|request: Request<Incoming>| {
        let (state, served, full) = (Arc::clone(&state), Arc::clone(&served), Arc::clone(&full));
        async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert!(body == "0123456789" || body.is_empty());
            state.requests.fetch_add(1, Ordering::Relaxed);
            if served.fetch_add(1, Ordering::Relaxed) + 1 == state.most {
                full.notify_one();
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
        }
    });
    match protocol {
        Protocol::One => {
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(io, answers);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = &mut connection => return,
                () = end => return,
                () = full.notified() => {}
            }
            // The answer is written; then it ends like any that was kept for long enough.
            connection.as_mut().graceful_shutdown();
            let _ended = connection.await;
        }
        Protocol::Two => {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(io, answers);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = &mut connection => return,
                () = end => return,
                () = full.notified() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ended = connection.await;
        }
    }
}
